#include "common/base/log_format.h"

#include <nlohmann/json.hpp>

namespace pilotlight {
namespace {

bool needs_quotes(std::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) return true;
  }
  return false;
}

void append_value(std::string& line, std::string_view value) {
  if (!needs_quotes(value)) {
    line += value;
    return;
  }
  line += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (byte < ' ' || byte == 0x7f) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += c;
    }
  }
  line += '"';
}

std::string json_text(std::string_view value) {
  return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// As Knative's encoder writes zap's levels.
std::string_view severity(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return "DEBUG";
    case LogLevel::info: return "INFO";
    case LogLevel::warn: return "WARNING";
    case LogLevel::error: return "ERROR";
    case LogLevel::off: break;
  }
  return "DEFAULT";
}

}  // namespace

std::string text_of(std::string_view event, LogFields fields) {
  std::string line(event);
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_value(line, field.value);
  }
  return line;
}

std::string json_of(LogLevel level, std::string_view event, LogFields fields) {
  std::string line =
      fmt::format(R"("severity":"{}","message":{})", severity(level), json_text(event));
  for (const LogField& field : fields) {
    line += ',';
    line += json_text(field.key);
    line += ':';
    line += json_text(field.value);
  }
  return line;
}

}  // namespace pilotlight
