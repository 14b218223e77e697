#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "config/time_zone.h"

/// The TZ string of POSIX, with which a TZif file ends: `CET-1CEST,M3.5.0,M10.5.0/3`. Pure.
namespace pilotlight::config {

/// None when `text` is not one. Times of a change may be from -167 to 167 hours (RFC 8536).
[[nodiscard]] std::optional<TimeZone::Rule> parse_posix_tz(std::string_view text);

/// Local time minus UTC by that rule.
[[nodiscard]] std::chrono::seconds offset_of(const TimeZone::Rule& rule,
                                             std::chrono::sys_seconds when);

}  // namespace pilotlight::config
