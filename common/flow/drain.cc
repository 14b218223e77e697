#include "common/flow/drain.h"

#include <algorithm>

namespace pilotlight {

void DrainFence::begin(TimePoint now) noexcept {
  if (begun_) return;
  begun_ = now;
  drained_ = false;
}

void DrainFence::reset() noexcept {
  begun_.reset();
  drained_ = false;
}

TimePoint DrainFence::quiet_until() const noexcept {
  return std::max(*begun_, last_request_) + params_.quiet;
}

bool DrainFence::fenced(TimePoint now) const noexcept {
  return begun_ && ((drained_ && !direct_) || now >= quiet_until());
}

TimePoint DrainFence::next(TimePoint now) const noexcept {
  if (!begun_ || fenced(now)) return TimePoint::max();
  return quiet_until();
}

}  // namespace pilotlight
