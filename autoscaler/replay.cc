#include "autoscaler/replay.h"

#include <cmath>

namespace pilotlight::autoscaler {

Replay::Replay(const TraceRules& rules)
    : rules_(rules),
      stable_(rules.stable_seconds, rules.averaging),
      panic_(rules.panic_seconds, rules.averaging) {}

void Replay::sample(const TraceSample& sample) {
  stable_.record(sample.ms / 1000, sample.value);
  panic_.record(sample.ms / 1000, sample.value);
}

Decision Replay::decide(const TraceTick& tick) {
  const std::int64_t second = tick.ms / 1000;
  const bool known = stable_.last() && second - *stable_.last() <= stable_.length();
  if (!known && rules_.absence_means_unknown) return {};
  Signal& signal = rules_.signal;
  signal.stable = stable_.average(second);
  signal.panic = panic_.average(second);
  return follow_demand({&signal, 1}, tick.ready, rules_.policy, state_,
                       TimePoint(std::chrono::milliseconds(tick.ms)));
}

bool agrees(const TraceTick& recorded, const Decision& got) {
  // The sums are rounded to 6 decimals: where the exact value lies between two of them, either is
  // right.
  constexpr double kClose = 1.000001e-6;
  if (recorded.desired != got.desired) return false;
  if (!got.desired) return true;
  return recorded.excess_burst_capacity == got.excess_burst_capacity &&
         std::abs(recorded.stable - got.stable) <= kClose &&
         std::abs(recorded.panic - got.panic) <= kClose;
}

}  // namespace pilotlight::autoscaler
