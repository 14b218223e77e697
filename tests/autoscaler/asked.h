#pragma once

#include "autoscaler/decider.h"

namespace pilotlight::autoscaler {

inline const TimePoint kStart{std::chrono::seconds(1000)};

/// A revision with its state, asked again and again.
struct Asked {
  Asked() {
    policy.initial_scale = 0;
    seen.signals.resize(1);
    seen.signals[0].target = 1;
  }
  Decision at(Duration after) { return decide(seen, policy, state, kStart + after); }
  Observation seen;
  Policy policy;
  DeciderState state;
};

}  // namespace pilotlight::autoscaler
