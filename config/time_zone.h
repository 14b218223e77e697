#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pilotlight::config {

/// When clocks of a place show what. A plain value; lookups are pure.
///
/// glibc's own time zones are global to the process, and <chrono>'s are not in this compiler yet.
class TimeZone {
 public:
  /// A day of the year on which clocks change, as POSIX writes it in TZ: `M3.5.0/2`.
  struct Change {
    enum class Form : std::uint8_t { month_week, julian, day };
    Form form = Form::month_week;
    int month = 1;  ///< 1 to 12
    int week = 1;   ///< 1 to 5; 5 is the last one.
    int day = 0;    ///< Of the week from Sunday; or of the year.
    std::chrono::seconds at{7200};
    friend bool operator==(const Change&, const Change&) = default;
  };
  /// What holds after the last recorded transition.
  struct Rule {
    std::chrono::seconds standard{0};
    std::optional<std::chrono::seconds> summer;
    Change begin;
    Change end;
    friend bool operator==(const Rule&, const Rule&) = default;
  };

  /// UTC.
  TimeZone() = default;

  /// Reads a TZif file's bytes (RFC 8536, version 2 or later). None when they are not one.
  [[nodiscard]] static std::optional<TimeZone> parse(std::string_view bytes);

  /// Reads `Europe/Berlin` and the like from the system's zones; "UTC" is there without them.
  /// Blocks for one small file. None when there is no such zone.
  [[nodiscard]] static std::optional<TimeZone> find(
      const std::string& name, const std::string& folder = "/usr/share/zoneinfo");

  /// Local time minus UTC.
  [[nodiscard]] std::chrono::seconds offset_at(std::chrono::sys_seconds when) const;

  [[nodiscard]] std::chrono::local_seconds to_local(std::chrono::sys_seconds when) const {
    return std::chrono::local_seconds(when.time_since_epoch() + offset_at(when));
  }

  /// The instant at which clocks show `local`: the first of the two when they show it twice, and
  /// the moment of the jump when they leave it out. Never falls as `local` grows.
  [[nodiscard]] std::chrono::sys_seconds to_sys(std::chrono::local_seconds local) const;

  friend bool operator==(const TimeZone&, const TimeZone&) = default;

 private:
  std::vector<std::int64_t> transitions_;      // seconds since 1970, rising
  std::vector<std::chrono::seconds> offsets_;  // from transitions_[i] on
  std::chrono::seconds before_{0};             // until the first transition
  std::optional<Rule> after_;                  // from the last one on
};

}  // namespace pilotlight::config
