#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace pilotlight {

/// How a TimeWindow weighs its seconds.
enum class Averaging { linear, weighted_exponential };

/// The average of a quantity over the last n seconds, by Knative's rules, checked
/// against its recorded decisions.
///
/// One bucket a second; what is recorded in the same second adds up, because it comes from several
/// senders. Linear: seconds that are missing before the first or after the last record shorten the
/// window, those in between count as 0, and the result is rounded to 6 decimals. Weighted
/// exponential: a second's weight falls with its age, and nothing is rounded.
///
/// Seconds are whole seconds of any one clock. Pure; average() costs O(n).
class TimeWindow {
 public:
  using Second = std::int64_t;

  /// `length` in seconds, at least 1.
  TimeWindow(std::int64_t length, Averaging averaging);

  /// Adds `value` to the bucket of `second`. A second that has left the window already is ignored.
  void record(Second second, double value);

  [[nodiscard]] double average(Second now) const;

  /// The newest second recorded; none before the first record.
  [[nodiscard]] std::optional<Second> last() const noexcept { return last_; }

  /// Another length or weighing; keeps the newest seconds that fit.
  void reshape(std::int64_t length, Averaging averaging);

  [[nodiscard]] std::int64_t length() const noexcept {
    return static_cast<std::int64_t>(buckets_.size());
  }

 private:
  [[nodiscard]] double& bucket(Second second) noexcept;
  [[nodiscard]] double bucket(Second second) const noexcept;
  [[nodiscard]] double linear(Second now) const;
  [[nodiscard]] double weighted(Second now) const;

  std::vector<double> buckets_;  // a ring: second s lives at s mod n; holds (last_ - n, last_]
  Averaging averaging_;
  std::optional<Second> first_;
  std::optional<Second> last_;
};

/// The panic window that belongs to a stable window: at least 1 s.
[[nodiscard]] std::int64_t panic_window_seconds(std::int64_t stable_seconds, double percentage);

}  // namespace pilotlight
