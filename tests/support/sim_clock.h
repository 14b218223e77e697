#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "common/base/clock.h"

namespace pilotlight::test {

/// A clock that moves only when told to, plus the event loop that runs between its ticks.
///
/// Every timer in the process under test hangs off this object, so a minute of behaviour takes
/// microseconds and happens in the same order on every run.
class SimClock final : public Clock {
 public:
  explicit SimClock(asio::io_context& loop) : loop_(loop) {}

  [[nodiscard]] TimePoint now() const noexcept override { return now_; }
  [[nodiscard]] std::unique_ptr<Timer> make_timer() override;

  /// Runs everything that is ready, without moving time.
  void settle();

  /// Moves time forward by `by`, stopping at each deadline on the way to let its waiters, and
  /// whatever they start, run to their next suspension. Ties fire in the order they were armed.
  void advance(Duration by);

 private:
  class SimTimer;
  using Key = std::pair<TimePoint, std::uint64_t>;  // deadline, then arming order

  asio::io_context& loop_;
  TimePoint now_{};
  std::uint64_t next_arming_ = 0;
  std::map<Key, SimTimer*> armed_;
};

}  // namespace pilotlight::test
