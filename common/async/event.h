#pragma once

#include <memory>

#include "common/base/clock.h"

namespace pilotlight {

/// Something that happens once, and one task that waits for it. Shard-local. Making one allocates
/// its timer; reset() makes a used one new.
class Event {
 public:
  explicit Event(Clock& clock) : timer_(clock.make_timer()) {}

  /// It has happened: wakes the waiter, or lets the next wait() pass at once.
  void set() noexcept;

  [[nodiscard]] bool happened() const noexcept { return happened_; }

  /// It has not happened yet. Nobody may be waiting.
  void reset() noexcept { happened_ = false; }

  /// Suspends until set(), or until `deadline`. @return whether it happened.
  [[nodiscard]] Task<bool> wait(TimePoint deadline);

 private:
  std::unique_ptr<Timer> timer_;
  bool happened_ = false;
};

}  // namespace pilotlight
