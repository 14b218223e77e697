#pragma once

#include <cstdint>

#include "common/base/clock.h"

namespace pilotlight {

/// The machine's monotonic clock, and timers on one shard's loop. One per shard.
///
/// Steady time counts from boot and is the same for every process of a machine, so instants of
/// different processes on one machine compare.
class SystemClock final : public Clock {
 public:
  explicit SystemClock(asio::io_context& loop) : loop_(loop) {}

  [[nodiscard]] TimePoint now() const noexcept override;
  [[nodiscard]] std::unique_ptr<Timer> make_timer() override;

 private:
  asio::io_context& loop_;
};

/// Nanoseconds since 1970, for epochs, timestamps in objects and log lines. Never for decisions.
[[nodiscard]] std::int64_t wall_clock_ns() noexcept;

/// A number that no other start of any process on this machine has: microseconds of the wall clock,
/// then bits of the pid. Of two starts the later has the larger one, if nobody has set the clock
/// back.
[[nodiscard]] std::uint64_t new_epoch() noexcept;

/// 64 bits from the operating system, to seed a generator or a token.
[[nodiscard]] std::uint64_t random_seed();

}  // namespace pilotlight
