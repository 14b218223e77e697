#include "common/base/log.h"

#include <memory>
#include <mutex>

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include "common/base/line_sink.h"
#include "common/base/log_json.h"

namespace pilotlight {
namespace {

/// Formats a line on the thread that logs it, and leaves the writing to a LineSink. spdlog's own
/// asynchronous logger wakes its thread every ten seconds for nothing.
class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    lines_.offer(std::string_view(line.data(), line.size()));  // a full sink drops, and counts
  }
  void flush_() override {}

  LineSink lines_{STDERR_FILENO};
};

std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger> instance;  // the process's one log sink, set up by main
  return instance;
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warn: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
    case LogLevel::off: return spdlog::level::off;
  }
  return spdlog::level::off;
}

LogFormat& format() {
  static LogFormat of_process = LogFormat::text;
  return of_process;
}

void use_pattern(const std::string& pattern, spdlog::pattern_time_type time) {
  const std::string no_end_of_line;  // the sink adds it
  logger()->set_formatter(
      std::make_unique<spdlog::pattern_formatter>(pattern, time, no_end_of_line));
}

}  // namespace

void start_logging(std::string_view program, LogLevel least) {
  logger() = std::make_shared<spdlog::logger>(std::string(program), std::make_shared<StderrSink>());
  logger()->set_level(spdlog_level(least));
  set_log_format(LogFormat::text);
}

void set_log_format(LogFormat wanted) {
  format() = wanted;
  if (!logger()) return;
  if (wanted == LogFormat::text) {
    use_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %n %v", spdlog::pattern_time_type::local);
  } else {
    use_pattern(R"({"timestamp":"%Y-%m-%dT%H:%M:%S.%fZ","logger":"%n",%v})",
                spdlog::pattern_time_type::utc);
  }
}

void stop_logging() {
  logger().reset();  // the sink with it
}

LogLevel parse_log_level(std::string_view text, LogLevel fallback) noexcept {
  if (text == "debug") return LogLevel::debug;
  if (text == "info") return LogLevel::info;
  if (text == "warn") return LogLevel::warn;
  if (text == "error") return LogLevel::error;
  if (text == "off") return LogLevel::off;
  return fallback;
}

void log(LogLevel level, std::string_view event, LogFields fields) {
  const auto& sink = logger();
  if (!sink || !sink->should_log(spdlog_level(level))) return;
  const std::string line =
      format() == LogFormat::text ? text_of(event, fields) : json_of(level, event, fields);
  sink->log(spdlog_level(level), spdlog::string_view_t(line));
}

}  // namespace pilotlight
