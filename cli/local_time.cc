#include "cli/local_time.h"

#include <ctime>

namespace pilotlight::cli {
namespace {

std::string formatted(std::int64_t ms, const char* format) {
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  localtime_r(&seconds, &parts);
  char text[64];
  const std::size_t length = std::strftime(text, sizeof text, format, &parts);
  return std::string(text, length);
}

}  // namespace

std::string local_time(std::int64_t ms) { return formatted(ms, "%F %T"); }

std::string local_clock(std::int64_t ms) { return formatted(ms, "%T"); }

}  // namespace pilotlight::cli
