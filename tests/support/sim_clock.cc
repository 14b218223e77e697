#include "tests/support/sim_clock.h"

#include <boost/asio/steady_timer.hpp>

namespace pilotlight::test {

class SimClock::SimTimer final : public Timer {
 public:
  explicit SimTimer(SimClock& clock) : clock_(clock), parked_(clock.loop_) {}
  ~SimTimer() override { clock_.armed_.erase(key_); }

  Task<bool> wait_until(TimePoint when) override {
    if (when <= clock_.now_) co_return true;
    key_ = Key(when, clock_.next_arming_++);
    clock_.armed_.emplace(key_, this);
    fired_ = false;
    parked_.expires_at(TimePoint::max());  // parked for ever; only fire() and cancel() end it
    co_await parked_.async_wait(use_tuple);
    clock_.armed_.erase(key_);
    co_return fired_;
  }

  void cancel() noexcept override { parked_.cancel(); }

  void fire() {
    fired_ = true;
    parked_.cancel();
  }

 private:
  SimClock& clock_;
  ShardTimer parked_;
  Key key_{};
  bool fired_ = false;
};

std::unique_ptr<Timer> SimClock::make_timer() { return std::make_unique<SimTimer>(*this); }

void SimClock::settle() {
  loop_.restart();
  while (loop_.poll() != 0) {
  }
}

void SimClock::advance(Duration by) {
  const TimePoint target = now_ + by;
  settle();
  while (!armed_.empty() && armed_.begin()->first.first <= target) {
    now_ = armed_.begin()->first.first;
    armed_.begin()->second->fire();
    settle();
  }
  now_ = target;
  settle();
}

}  // namespace pilotlight::test
