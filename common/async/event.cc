#include "common/async/event.h"

namespace pilotlight {

void Event::set() noexcept {
  happened_ = true;
  timer_->cancel();
}

Task<bool> Event::wait(TimePoint deadline) {
  if (!happened_) co_await timer_->wait_until(deadline);
  co_return happened_;
}

}  // namespace pilotlight
