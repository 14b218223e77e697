#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "common/stats/concurrency_meter.h"

namespace pilotlight {

/// One second of load, by the clock of who measured it.
struct LoadSecond {
  std::int64_t second = 0;                   ///< It begins that many seconds after the clock's 0.
  std::uint64_t concurrency_us = 0;          ///< Integral of the requests present.
  std::uint64_t proxied_concurrency_us = 0;  ///< The part that came via an activator.
  std::uint64_t arrivals_u = 0;              ///< Millionths: a report's are spread over its time.
  std::uint64_t proxied_arrivals_u = 0;
  std::uint64_t longest_wait_us = 0;  ///< The longest that was seen for a permit.

  friend bool operator==(const LoadSecond&, const LoadSecond&) = default;
};

/// The last 600 seconds of one meter, to be told to an autoscaler that has none of it.
///
/// Fed with the very snapshots that are reported, and cut into seconds by the same rule as there,
/// so a replay gives the numbers that the reports gave. Seconds without load are not kept: an idle
/// meter costs nothing, a busy one 29 kB. Of several shards record the sum of their snapshots.
/// Time comes with the snapshots. Shard-local; O(1) a report, nothing per request.
class LoadHistory {
 public:
  static constexpr std::int64_t kSeconds = 600;

  /// The meter stands at `load`, later than at the call before. `longest_wait_us`: how long the
  /// oldest of those that wait has waited. The first call is only a mark to count from; so is one
  /// whose counters went back.
  void record(const LoadSnapshot& load, std::uint64_t longest_wait_us);

  /// Seconds with load, oldest first. The last one may be the one that is not over.
  [[nodiscard]] const std::deque<LoadSecond>& seconds() const noexcept { return seconds_; }

 private:
  [[nodiscard]] LoadSecond& at(std::int64_t second);
  void grow(const LoadSnapshot& from, const LoadSnapshot& to);

  std::optional<LoadSnapshot> last_;
  std::deque<LoadSecond> seconds_;
};

}  // namespace pilotlight
