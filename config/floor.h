#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/cron.h"
#include "config/time_zone.h"

namespace pilotlight::config {

class Report;

/// What `pilotlight.dev/floor` says: no fewer replicas for some time after each moment of a cron
/// expression. A plain value.
struct Floor {
  Cron cron;
  std::uint32_t replicas = 0;
  std::chrono::seconds length{0};
  std::string zone_name = "UTC";
  TimeZone zone;

  friend bool operator==(const Floor&, const Floor&) = default;
};

/// Reads the annotation's JSON list; problems go to `report`, under `path`. Looks time zones up in
/// the system's.
[[nodiscard]] std::vector<Floor> read_floors(const std::string& text, const std::string& path,
                                             Report& report);

/// The largest floor that stands at `now`; 0 without one. Pure.
///
/// A time that the clocks leave out in spring is the moment of the jump; one that they show twice
/// in autumn is the first of the two, once.
[[nodiscard]] std::uint32_t floor_at(const std::vector<Floor>& floors,
                                     std::chrono::sys_seconds now);

}  // namespace pilotlight::config
