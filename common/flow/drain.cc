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

TimePoint DrainFence::due() const noexcept {
  const TimePoint quiet = std::max(*begun_, last_request_) + params_.quiet;
  if (!connected_) return quiet;
  return std::max(*begun_ + params_.answer_patience, quiet);
}

bool DrainFence::fenced(TimePoint now) const noexcept {
  return begun_ && (drained_ || now >= due());
}

TimePoint DrainFence::next(TimePoint now) const noexcept {
  if (!begun_ || fenced(now)) return TimePoint::max();
  return due();
}

}  // namespace pilotlight
