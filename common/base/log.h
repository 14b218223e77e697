#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace pilotlight {

/// Levels by reader. error: a human must act. warn: degraded, will heal. info: life-cycle and
/// decisions. debug: per connection.
enum class LogLevel { debug, info, warn, error, off };

/// One `key=value` of a log line. Units belong into the key. Values are escaped when written.
struct LogField {
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  template <class T>
  requires std::integral<T> || std::floating_point<T> LogField(std::string_view k, T v)
      : key(k), value(fmt::to_string(v)) {}

  std::string_view key;
  std::string value;
};

using LogFields = std::initializer_list<LogField>;

/// Starts the asynchronous sink to stderr: a stuck reader never blocks a shard, what is beyond 1
/// MiB then is dropped. Before this call, and after stop_logging(), lines are dropped. Call from
/// main only.
void start_logging(std::string_view program, LogLevel least);

/// Writes what is queued, as far as that takes a second, and ends the sink.
void stop_logging();

/// "debug", "info", "warn", "error" or "off"; anything else gives `fallback`.
[[nodiscard]] LogLevel parse_log_level(std::string_view text, LogLevel fallback) noexcept;

/// One line per event, logged where it is handled:
/// `log(LogLevel::info, "scaled", {{"revision", name}, {"to", n}})`. Thread-safe.
void log(LogLevel level, std::string_view event, LogFields fields = {});

inline void log_debug(std::string_view event, LogFields fields = {}) {
  log(LogLevel::debug, event, fields);
}
inline void log_info(std::string_view event, LogFields fields = {}) {
  log(LogLevel::info, event, fields);
}
inline void log_warn(std::string_view event, LogFields fields = {}) {
  log(LogLevel::warn, event, fields);
}
inline void log_error(std::string_view event, LogFields fields = {}) {
  log(LogLevel::error, event, fields);
}

}  // namespace pilotlight
