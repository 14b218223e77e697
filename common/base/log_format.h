#pragma once

#include <string>
#include <string_view>

#include "common/base/log.h"

namespace pilotlight {

enum class LogFormat : bool {
  text,  ///< `<time> <level> <program> <event> key=value ...`
  /// One object a line, with the keys of Knative's logs: timestamp, logger, severity, message;
  /// then the fields, all of them strings.
  json,
};

/// Call from main, right after start_logging(), which begins with `text`.
void set_log_format(LogFormat format);

/// What the formats write of an event. Bytes that are not UTF-8 become U+FFFD in JSON.
[[nodiscard]] std::string text_of(std::string_view event, LogFields fields);
/// `"severity":"INFO","message":"scaled","to":"3"`: the inside of an object.
[[nodiscard]] std::string json_of(LogLevel level, std::string_view event, LogFields fields);

}  // namespace pilotlight
