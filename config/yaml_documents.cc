#include "config/yaml_documents.h"

#include <array>
#include <charconv>
#include <string_view>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "config/json_reader.h"
#include "config/scalars.h"

namespace pilotlight::config {
namespace {

using nlohmann::json;

constexpr std::size_t kMostValues = 100'000;
constexpr std::size_t kMostLevels = 64;

template <std::size_t N>
bool among(const std::array<std::string_view, N>& words, std::string_view text) {
  for (const std::string_view word : words) {
    if (word == text) return true;
  }
  return false;
}

constexpr std::array<std::string_view, 5> kNulls = {"", "~", "null", "Null", "NULL"};
constexpr std::array<std::string_view, 11> kTrue = {"true", "True", "TRUE", "yes", "Yes", "YES",
                                                    "on",   "On",   "ON",   "y",   "Y"};
constexpr std::array<std::string_view, 11> kFalse = {"false", "False", "FALSE", "no", "No", "NO",
                                                     "off",   "Off",   "OFF",   "n",  "N"};

std::optional<json> based_integer(std::string_view text, std::string_view prefix, int base) {
  if (!text.starts_with(prefix) || text.size() == prefix.size()) return std::nullopt;
  text.remove_prefix(prefix.size());
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return json(value);
}

/// A plain scalar, typed as Kubernetes' YAML reader does.
json plain_scalar(const std::string& text) {
  if (among(kNulls, text)) return nullptr;
  if (among(kTrue, text)) return true;
  if (among(kFalse, text)) return false;
  for (const auto& [prefix, base] : {std::pair<std::string_view, int>{"0x", 16}, {"0o", 8}}) {
    if (auto value = based_integer(text, prefix, base)) return std::move(*value);
  }
  const bool octal = text.size() > 1 && text[0] == '0' && text[1] != '.';
  if (octal) {
    if (auto value = based_integer(text, "0", 8)) return std::move(*value);
  }
  if (const auto integer = parse_integer(text)) {
    if (*integer >= 0) return static_cast<std::uint64_t>(*integer);
    return *integer;
  }
  const bool numeric = text.find_first_not_of("0123456789+-.eE") == std::string::npos;
  if (numeric) {
    if (const auto number = parse_number(text.front() == '+' ? text.substr(1) : text)) {
      return *number;
    }
  }
  return text;
}

/// Turns one YAML document into JSON, noting lines and problems.
class Converter {
 public:
  Converter(Document& document, Problems& problems) : document_(document), problems_(problems) {}

  json convert(const YAML::Node& node, const std::string& path, std::size_t level) {
    if (++values_ > kMostValues || level > kMostLevels) {
      if (!too_big_) {
        say(node, path,
            fmt::format("got a document too big, expected at most {} values in {} levels",
                        kMostValues, kMostLevels));
      }
      too_big_ = true;
      return nullptr;
    }
    switch (node.Type()) {
      case YAML::NodeType::Scalar: return scalar(node, path);
      case YAML::NodeType::Sequence: return sequence(node, path, level);
      case YAML::NodeType::Map: return map(node, path, level);
      case YAML::NodeType::Undefined:
      case YAML::NodeType::Null: break;
    }
    return nullptr;
  }

 private:
  void say(const YAML::Node& node, const std::string& path, const std::string& text) {
    problems_.push_back(fmt::format("{}:{}: {}{}{}", document_.file, node.Mark().line + 1, path,
                                    path.empty() ? "" : ": ", text));
  }

  json scalar(const YAML::Node& node, const std::string& path) {
    const std::string& tag = node.Tag();
    if (tag == "!" || tag == "tag:yaml.org,2002:str") return node.Scalar();
    const bool core = tag.empty() || tag == "?" || tag.starts_with("tag:yaml.org,2002:");
    if (!core) say(node, path, "got the tag " + in_quotes(tag) + ", expected none");
    return plain_scalar(node.Scalar());
  }

  json sequence(const YAML::Node& node, const std::string& path, std::size_t level) {
    json out = json::array();
    for (const YAML::Node& element : node) {
      const std::string place = join(path, out.size());
      note(place, element);
      out.push_back(convert(element, place, level + 1));
      if (too_big_) break;
    }
    return out;
  }

  json map(const YAML::Node& node, const std::string& path, std::size_t level) {
    json out = json::object();
    for (const auto& entry : node) {
      const YAML::Node& key = entry.first;
      if (!key.IsScalar()) {
        say(key, path, "got a key that is not a string, expected a string");
        continue;
      }
      const std::string& name = key.Scalar();
      const std::string place = join(path, name);
      if (name == "<<" && key.Tag() != "!") {
        say(key, place, "got a merge key, expected the fields themselves");
        continue;
      }
      if (out.contains(name)) {
        say(key, place, "got this key a second time, expected it once");
        continue;
      }
      note(place, key);
      out[name] = convert(entry.second, place, level + 1);
      if (too_big_) break;
    }
    return out;
  }

  void note(const std::string& path, const YAML::Node& node) {
    if (node.Mark().line >= 0) {
      document_.lines.emplace(path, static_cast<std::size_t>(node.Mark().line) + 1);
    }
  }

  Document& document_;
  Problems& problems_;
  std::size_t values_ = 0;
  bool too_big_ = false;
};

bool is_utf8(const std::string& text) {
  // The JSON library checks what it writes; asking it is less code than a second decoder.
  try {
    (void)json(text).dump();
    return true;
  } catch (const json::exception&) {
    return false;
  }
}

}  // namespace

std::string Document::at(const std::string& path) const {
  const std::string within = item.empty() ? "" : ": " + item;
  std::string part = path;
  for (;;) {
    if (const auto found = lines.find(part); found != lines.end()) {
      return fmt::format("{}:{}{}", file, found->second, within);
    }
    if (part.empty()) return file + within;
    const std::size_t cut = part.find_last_of(".[");
    part.resize(cut == std::string::npos ? 0 : cut);
  }
}

Checked<std::vector<Document>> read_documents(const std::string& text, const std::string& file) {
  std::vector<Document> documents;
  Problems problems;
  if (!is_utf8(text)) {
    problems.push_back(file + ": got bytes that are not UTF-8, expected YAML or JSON");
    return problems;
  }
  // The library speaks of syntax by exceptions; they end here.
  try {
    for (const YAML::Node& node : YAML::LoadAll(text)) {
      Document document;
      document.file = file;
      document.lines.emplace("", static_cast<std::size_t>(std::max(node.Mark().line, 0)) + 1);
      document.value = Converter(document, problems).convert(node, "", 0);
      if (!document.value.is_null()) documents.push_back(std::move(document));
    }
  } catch (const YAML::Exception& error) {
    const int line = std::max(error.mark.line, 0) + 1;
    const int column = std::max(error.mark.column, 0) + 1;
    problems.push_back(
        fmt::format("{}:{}: got text that is not YAML (line {}, column {}: {}), expected YAML",
                    file, line, line, column, error.msg));
  }
  if (!problems.empty()) return problems;
  return documents;
}

}  // namespace pilotlight::config
