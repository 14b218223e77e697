#include "local/restart_back_off.h"

#include <algorithm>

namespace pilotlight::local {

Duration RestartBackOff::after(TimePoint began, TimePoint ended) {
  if (ended - began >= params_.healthy) next_ = Duration::zero();
  const Duration wait = next_;
  next_ = std::min(params_.longest, std::max(params_.first, 2 * next_));
  return wait;
}

}  // namespace pilotlight::local
