#include "config/yaml_text.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace pilotlight::config {
namespace {

using nlohmann::json;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_plain_char(char c) {
  constexpr std::string_view kOthers = "_-./";
  return is_letter(c) || (c >= '0' && c <= '9') || kOthers.find(c) != std::string_view::npos;
}

/// Words that are booleans or null to some reader, in any mix of cases.
bool is_word_of_yaml(std::string_view text) {
  constexpr std::array<std::string_view, 9> kWords = {"true", "false", "yes", "no", "on",
                                                      "off",  "null",  "y",   "n"};
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::find(kWords.begin(), kWords.end(), lower) != kWords.end();
}

std::string scalar(const json& value) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    // Begins like a name or a path: no number, no punctuation of YAML's.
    const bool begins = !text.empty() && (is_letter(text.front()) || text.front() == '/');
    const bool plain =
        begins && std::all_of(text.begin(), text.end(), is_plain_char) && !is_word_of_yaml(text);
    if (plain) return text;
  }
  if (value.is_array()) return "[]";
  if (value.is_object()) return "{}";
  // JSON's own quoting is YAML's double-quoted style.
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool is_block(const json& value) { return value.is_structured() && !value.empty(); }

void write(const json& value, std::size_t indent, bool first_is_placed, std::string& out) {
  bool placed = first_is_placed;
  const auto line = [&](std::string_view begin) {
    if (!placed) out.append(indent, ' ');
    placed = false;
    out += begin;
  };
  if (value.is_array()) {
    for (const json& element : value) {
      line("- ");
      if (is_block(element)) {
        write(element, indent + 2, true, out);
      } else {
        out += scalar(element) + "\n";
      }
    }
    return;
  }
  for (const auto& [key, element] : value.items()) {
    line(scalar(json(key)) + ":");
    if (!is_block(element)) {
      out += " " + scalar(element) + "\n";
      continue;
    }
    out += "\n";
    // Lists stand below their key, as kubectl writes them.
    write(element, element.is_array() ? indent : indent + 2, false, out);
  }
}

}  // namespace

std::string to_yaml(const json& value) {
  if (!is_block(value)) return scalar(value) + "\n";
  std::string out;
  write(value, 0, false, out);
  return out;
}

std::string to_yaml(const std::vector<json>& documents) {
  std::string out;
  for (const json& document : documents) {
    if (!out.empty()) out += "---\n";
    out += to_yaml(document);
  }
  return out;
}

}  // namespace pilotlight::config
