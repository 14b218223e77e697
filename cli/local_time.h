#pragma once

#include <cstdint>
#include <string>

namespace pilotlight::cli {

/// Milliseconds of the wall clock in local time: "2026-11-25 08:00:00", and its "08:00:00".
[[nodiscard]] std::string local_time(std::int64_t ms);
[[nodiscard]] std::string local_clock(std::int64_t ms);

}  // namespace pilotlight::cli
