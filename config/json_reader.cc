#include "config/json_reader.h"

#include <fmt/format.h>

namespace pilotlight::config {
namespace {

using nlohmann::json;

const json kEmptyObject = json::object();
const json::array_t kEmptyList;

}  // namespace

std::string shown(const json& value) {
  if (value.is_string()) return in_quotes(value.get_ref<const std::string&>());
  if (value.is_object()) return "an object";
  if (value.is_array()) return value.empty() ? "an empty list" : "a list";
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string join(std::string_view path, std::string_view key) {
  if (path.empty()) return std::string(key);
  // Annotations and labels have dots and slashes of their own.
  if (key.find_first_of("./") != std::string_view::npos) return fmt::format("{}[{}]", path, key);
  return fmt::format("{}.{}", path, key);
}

std::string join(std::string_view path, std::size_t index) {
  return fmt::format("{}[{}]", path, index);
}

std::string Report::where(const std::string& path) const {
  std::string where = at_ ? at_(path) : "";
  if (!where.empty() && !path.empty()) where += ": ";
  return where + path;
}

void Report::wrong(const std::string& path, std::string_view got, std::string_view expected) {
  say(path, got_expected(got, expected));
}

void Report::say(const std::string& path, std::string_view text) {
  std::string problem = where(path);
  if (!problem.empty()) problem += ": ";
  problem += text;
  problems_.push_back(std::move(problem));
}

ObjectReader::ObjectReader(const json* value, std::string path, Report& report, Unknown unknown)
    : value_(value), path_(std::move(path)), report_(report), unknown_(unknown) {
  if (value_ != nullptr && !value_->is_null() && !value_->is_object()) {
    report_.wrong(path_, shown(*value_), "an object");
  }
  if (value_ == nullptr || !value_->is_object()) value_ = &kEmptyObject;
}

const json* ObjectReader::field(const char* key) {
  known_.emplace(key);
  const auto found = value_->find(key);
  return found == value_->end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::string> ObjectReader::text(const char* key) {
  const json* value = field(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  const bool scalar = value->is_number() || value->is_boolean();
  report_.wrong(path_of(key), shown(*value), scalar ? "a string: write it in quotes" : "a string");
  return std::nullopt;
}

std::string ObjectReader::needed_text(const char* key, std::string_view expected) {
  const bool there = has(key);
  const auto value = text(key);
  if (!there) report_.wrong(path_of(key), "nothing", expected);
  if (value && value->empty()) report_.wrong(path_of(key), "\"\"", expected);
  return value.value_or("");
}

std::optional<std::int64_t> ObjectReader::integer(const char* key, std::int64_t least,
                                                  std::int64_t most) {
  const json* value = field(key);
  if (value == nullptr) return std::nullopt;
  const bool fits = value->is_number_integer() &&
                    (!value->is_number_unsigned() ||
                     value->get<std::uint64_t>() <= static_cast<std::uint64_t>(most));
  if (fits) {
    const auto number = value->get<std::int64_t>();
    if (number >= least && number <= most) return number;
  }
  report_.wrong(path_of(key), shown(*value), fmt::format("an integer in [{}, {}]", least, most));
  return std::nullopt;
}

std::optional<bool> ObjectReader::boolean(const char* key) {
  const json* value = field(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  report_.wrong(path_of(key), shown(*value), "true or false");
  return std::nullopt;
}

std::vector<std::string> ObjectReader::texts(const char* key) {
  std::vector<std::string> out;
  std::size_t index = 0;
  for (const json& element : list(key)) {
    if (element.is_string()) {
      out.push_back(element.get<std::string>());
    } else {
      const bool scalar = element.is_number() || element.is_boolean();
      report_.wrong(join(path_of(key), index), shown(element),
                    scalar ? "a string: write it in quotes" : "a string");
    }
    ++index;
  }
  return out;
}

StringMap ObjectReader::strings(const char* key) {
  StringMap out;
  const json* value = field(key);
  if (value == nullptr) return out;
  if (!value->is_object()) {
    report_.wrong(path_of(key), shown(*value), "an object of strings");
    return out;
  }
  for (const auto& [name, text] : value->items()) {
    if (text.is_string()) {
      out.emplace(name, text.get<std::string>());
    } else {
      const bool scalar = text.is_number() || text.is_boolean();
      report_.wrong(
          join(path_of(key), name), shown(text),
          scalar ? fmt::format("a string: write it in quotes, \"{}\"", shown(text)) : "a string");
    }
  }
  return out;
}

const json::array_t& ObjectReader::list(const char* key) {
  const json* value = field(key);
  if (value == nullptr) return kEmptyList;
  if (value->is_array()) return value->get_ref<const json::array_t&>();
  report_.wrong(path_of(key), shown(*value), "a list");
  return kEmptyList;
}

ObjectReader ObjectReader::object(const char* key) {
  return ObjectReader(field(key), path_of(key), report_, unknown_);
}

void ObjectReader::refuse(const char* key, std::string_view expected) {
  if (has(key) && unknown_ == Unknown::refused)
    report_.wrong(path_of(key), "a field that is not supported", expected);
}

void ObjectReader::ignore(std::initializer_list<const char*> keys) {
  for (const char* key : keys) known_.emplace(key);
}

void ObjectReader::end() {
  if (unknown_ == Unknown::ignored) return;
  for (const auto& [key, value] : value_->items()) {
    if (known_.contains(key)) continue;
    std::string expected;
    for (const std::string& known : known_) expected += (expected.empty() ? "" : ", ") + known;
    report_.wrong(path_of(key), "an unknown field", "one of " + expected);
  }
}

}  // namespace pilotlight::config
