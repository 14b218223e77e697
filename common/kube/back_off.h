#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

#include "common/base/clock.h"

namespace pilotlight::kube {

/// How long to wait before the next attempt: doubles from `first` to `most`, each time a random
/// point of its upper half, so that many clients of one restarted server do not come back together.
/// Pure: the generator is passed in.
class BackOff {
 public:
  BackOff(Duration first, Duration most) : first_(first), most_(most), next_(first) {}

  [[nodiscard]] Duration next(std::mt19937_64& random) {
    const Duration whole = next_;
    next_ = std::min(most_, next_ * 2);
    std::uniform_int_distribution<Duration::rep> pick(whole.count() / 2, whole.count());
    return Duration(pick(random));
  }

  /// The last attempt went well: the next failure starts from `first` again.
  void reset() noexcept { next_ = first_; }

 private:
  Duration first_;
  Duration most_;
  Duration next_;
};

}  // namespace pilotlight::kube
