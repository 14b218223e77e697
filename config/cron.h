#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace pilotlight::config {

/// When something begins, as crontab(5) writes it: minute, hour, day of the month, month, day of
/// the week. Lists, ranges, steps and English names (`1-5`, `*/15`, `MON,WED`, `JAN`); 0 and 7 are
/// Sunday. When both days are restricted, either one suffices. Pure, of local time; no seconds.
struct Cron {
  std::uint64_t minutes = 0;  ///< Bit n: minute n. The others alike.
  std::uint32_t hours = 0;
  std::uint32_t days = 0;
  std::uint32_t months = 0;
  std::uint32_t weekdays = 0;  ///< Bit 0: Sunday.
  bool any_day = false;        ///< The day of the month begins with `*`.
  bool any_weekday = false;    ///< The day of the week begins with `*`.

  [[nodiscard]] bool on(std::chrono::local_days day) const noexcept;

  friend bool operator==(const Cron&, const Cron&) = default;
};

/// None when `text` is not of five fields within their bounds.
[[nodiscard]] std::optional<Cron> parse_cron(std::string_view text) noexcept;

}  // namespace pilotlight::config
