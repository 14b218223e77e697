#include "common/base/system_clock.h"

#include <random>

#include <boost/asio/steady_timer.hpp>
#include <unistd.h>

namespace pilotlight {
namespace {

class SystemTimer final : public Timer {
 public:
  explicit SystemTimer(asio::io_context& loop) : timer_(loop) {}

  Task<bool> wait_until(TimePoint when) override {
    timer_.expires_at(when);
    const auto [ec] = co_await timer_.async_wait(use_tuple);
    co_return !ec;
  }

  void cancel() noexcept override {
    timer_.cancel();  // throws only when the loop itself is broken
  }

 private:
  ShardTimer timer_;
};

}  // namespace

TimePoint SystemClock::now() const noexcept { return std::chrono::steady_clock::now(); }

std::unique_ptr<Timer> SystemClock::make_timer() { return std::make_unique<SystemTimer>(loop_); }

std::int64_t wall_clock_ns() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::uint64_t new_epoch() noexcept {
  // The clock moves between two starts of one pid; the pid tells two starts at once. 52 bits of
  // microseconds last until the year 2112.
  const auto microseconds = static_cast<std::uint64_t>(wall_clock_ns() / 1000);
  return microseconds << 12U | (static_cast<std::uint64_t>(getpid()) & 0xFFFU);
}

std::uint64_t random_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace pilotlight
