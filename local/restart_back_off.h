#pragma once

#include <chrono>

#include "common/base/clock.h"

namespace pilotlight::local {

/// How long to wait before a process that ended is started again: the first time not at all, then
/// `first`, doubling to `longest`. A run of at least `healthy` starts the count afresh. Pure.
class RestartBackOff {
 public:
  struct Params {
    Duration first = std::chrono::seconds(1);
    Duration longest = std::chrono::seconds(60);
    Duration healthy = std::chrono::minutes(10);
  };

  RestartBackOff() : RestartBackOff(Params()) {}
  explicit RestartBackOff(const Params& params) : params_(params) {}

  /// A run that began at `began` ended at `ended`. @return how long to wait now.
  [[nodiscard]] Duration after(TimePoint began, TimePoint ended);

 private:
  Params params_;
  Duration next_{0};
};

}  // namespace pilotlight::local
