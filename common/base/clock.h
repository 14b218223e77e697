#pragma once

#include <chrono>
#include <memory>

#include "common/base/task.h"

namespace pilotlight {

/// A point on the monotonic clock. Wall time never takes part in a decision.
using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

/// One-shot wait on the clock that made it. Belongs to one shard.
class Timer {
 public:
  virtual ~Timer() = default;

  /// Suspends until `when`, or until cancel(). @return true if the time came, false if cancelled.
  [[nodiscard]] virtual Task<bool> wait_until(TimePoint when) = 0;

  /// Wakes the waiter, if there is one, on its own executor. Never runs it inline.
  virtual void cancel() noexcept = 0;
};

/// Where every component gets the time. One per shard, so it needs no locking.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual TimePoint now() const noexcept = 0;
  [[nodiscard]] virtual std::unique_ptr<Timer> make_timer() = 0;
};

}  // namespace pilotlight
