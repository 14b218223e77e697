// What follows from a policy's numbers.

#include <algorithm>
#include <cmath>

#include "config/scaling_policy.h"

namespace pilotlight::config {

double ScalingPolicy::total_per_replica() const noexcept {
  const double limit = container_concurrency;
  if (metric == Metric::rps) return target.value_or(rps_default);
  if (!target) return container_concurrency == 0 ? concurrency_default : limit;
  return container_concurrency == 0 ? *target : std::min(*target, limit);
}

double ScalingPolicy::target_per_replica() const noexcept {
  constexpr double kLeastTarget = 0.01;
  constexpr double kRpsRatio = 0.7;  // Knative has no key for it
  const double by_default = metric == Metric::rps ? kRpsRatio : concurrency_ratio_default;
  const double ratio = utilization_percent ? *utilization_percent / 100 : by_default;
  return std::max(kLeastTarget, total_per_replica() * ratio);
}

std::chrono::seconds ScalingPolicy::panic_window() const noexcept {
  const double exact = static_cast<double>(stable_window.count()) * panic_window_percentage / 100;
  return std::chrono::seconds(std::max(1LL, std::llround(exact)));
}

std::uint32_t ScalingPolicy::start_scale() const noexcept {
  const std::uint32_t asked = std::max(initial_scale, min_scale);
  return max_scale ? std::min(asked, *max_scale) : asked;
}

ScalingPolicy default_policy(const AutoscalerDefaults& defaults) {
  ScalingPolicy policy;
  policy.target_burst_capacity = defaults.target_burst_capacity;
  policy.stable_window = defaults.stable_window;
  policy.panic_window_percentage = defaults.panic_window_percentage;
  policy.panic_threshold_percentage = defaults.panic_threshold_percentage;
  policy.max_scale_up_rate = defaults.max_scale_up_rate;
  policy.max_scale_down_rate = defaults.max_scale_down_rate;
  policy.scale_down_delay = defaults.scale_down_delay;
  policy.retention = defaults.retention;
  policy.grace = defaults.grace;
  policy.scale_to_zero = defaults.scale_to_zero;
  policy.initial_scale = defaults.initial_scale;
  policy.min_scale = defaults.min_scale;
  policy.max_scale = defaults.max_scale;
  policy.concurrency_default = defaults.concurrency_target;
  policy.rps_default = defaults.rps_target;
  policy.concurrency_ratio_default = defaults.target_ratio;
  policy.activator_capacity = defaults.activator_capacity;
  return policy;
}

}  // namespace pilotlight::config
