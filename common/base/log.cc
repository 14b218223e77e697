#include "common/base/log.h"

#include <memory>

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "common/base/log_format.h"

namespace pilotlight {
namespace {

constexpr std::size_t kQueueSlots = 256;  // spdlog's default of 8192 costs 3 MB

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

}  // namespace

void start_logging(std::string_view program, LogLevel least) {
  spdlog::init_thread_pool(kQueueSlots, 1);
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  logger() = std::make_shared<spdlog::async_logger>(std::string(program), std::move(sink),
                                                    spdlog::thread_pool(),
                                                    spdlog::async_overflow_policy::overrun_oldest);
  logger()->set_level(spdlog_level(least));
  set_log_format(LogFormat::text);
}

void set_log_format(LogFormat wanted) {
  format() = wanted;
  if (!logger()) return;
  if (wanted == LogFormat::text) {
    logger()->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %n %v");
  } else {
    logger()->set_pattern(R"({"timestamp":"%Y-%m-%dT%H:%M:%S.%fZ","logger":"%n",%v})",
                          spdlog::pattern_time_type::utc);
  }
}

void stop_logging() {
  logger().reset();
  spdlog::shutdown();
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
