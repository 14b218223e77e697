#include "config/floor.h"

#include <algorithm>
#include <bit>

#include <nlohmann/json.hpp>

#include "config/json_reader.h"
#include "config/scalars.h"

namespace pilotlight::config {
namespace {

using namespace std::chrono;
using nlohmann::json;

constexpr seconds kLongest = hours(7 * 24);
constexpr std::int64_t kMostReplicas = 1'000'000;
constexpr std::size_t kMostFloors = 64;

Floor read_floor(ObjectReader& in) {
  Report& report = in.report();
  Floor floor;
  const std::string cron = in.needed_text("cron", "five fields, as \"0 8 * * 1-5\"");
  if (const auto parsed = parse_cron(cron)) {
    floor.cron = *parsed;
  } else if (!cron.empty()) {
    report.wrong(in.path_of("cron"), in_quotes(cron),
                 "minute, hour, day, month and day of the week, as \"0 8 * * 1-5\"");
  }
  if (!in.has("replicas")) report.wrong(in.path_of("replicas"), "nothing", "how many");
  floor.replicas = static_cast<std::uint32_t>(in.integer("replicas", 1, kMostReplicas).value_or(1));
  const std::string length = in.needed_text("for", "a duration in [1m, 168h], as \"10h\"");
  const auto span = parse_duration(length);
  if (span && *span >= minutes(1) && *span <= kLongest) {
    floor.length = duration_cast<seconds>(*span);
  } else if (!length.empty()) {
    report.wrong(in.path_of("for"), in_quotes(length), "a duration in [1m, 168h], as \"10h\"");
  }
  floor.zone_name = in.text("timezone").value_or("UTC");
  if (const auto zone = TimeZone::find(floor.zone_name)) {
    floor.zone = *zone;
  } else {
    report.wrong(in.path_of("timezone"), in_quotes(floor.zone_name),
                 "a time zone that the system knows, as \"Europe/Berlin\"");
  }
  in.end();
  return floor;
}

/// The newest moment of that local day, at or before `now`; none is the epoch of the clock.
sys_seconds latest_on(local_days day, const Floor& floor, sys_seconds now) {
  for (int hour = 23; hour >= 0; --hour) {
    if ((floor.cron.hours >> hour & 1U) == 0) continue;
    for (std::uint64_t left = floor.cron.minutes; left != 0;) {
      const int minute = 63 - std::countl_zero(left);
      left &= ~(std::uint64_t{1} << minute);
      const sys_seconds at = floor.zone.to_sys(day + hours(hour) + minutes(minute));
      if (at <= now) return at;
    }
  }
  return sys_seconds::min();
}

/// Moments never fall as local time grows, so the first one found backwards decides.
bool stands(const Floor& floor, sys_seconds now) {
  const local_days today = std::chrono::floor<days>(floor.zone.to_local(now));
  const local_days oldest =
      std::chrono::floor<days>(floor.zone.to_local(now - floor.length)) - days(1);
  for (local_days day = today + days(1); day >= oldest; day -= days(1)) {
    if (!floor.cron.on(day)) continue;
    const sys_seconds at = latest_on(day, floor, now);
    if (at != sys_seconds::min()) return now < at + floor.length;
  }
  return false;
}

}  // namespace

std::vector<Floor> read_floors(const std::string& text, const std::string& path, Report& report) {
  std::vector<Floor> floors;
  const json value = json::parse(text, nullptr, false);
  if (!value.is_array() || value.size() > kMostFloors) {
    report.wrong(path, in_quotes(text),
                 "a JSON list of at most 64, as [{\"cron\":\"0 8 * * 1-5\",\"replicas\":2,"
                 "\"for\":\"10h\",\"timezone\":\"Europe/Berlin\"}]");
    return floors;
  }
  for (std::size_t i = 0; i < value.size(); ++i) {
    ObjectReader reader(&value[i], join(path, i), report, Unknown::refused);
    floors.push_back(read_floor(reader));
  }
  return floors;
}

std::uint32_t floor_at(const std::vector<Floor>& floors, sys_seconds now) {
  std::uint32_t most = 0;
  for (const Floor& floor : floors) {
    if (floor.replicas > most && stands(floor, now)) most = floor.replicas;
  }
  return most;
}

}  // namespace pilotlight::config
