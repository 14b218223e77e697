#include "autoscaler/subject.h"

namespace pilotlight::autoscaler {

Policy policy_of(const config::ScalingPolicy& scaling) {
  Policy policy;
  policy.max_up_rate = scaling.max_scale_up_rate;
  policy.max_down_rate = scaling.max_scale_down_rate;
  policy.panic_threshold = scaling.panic_threshold();
  policy.stable_window = scaling.stable_window;
  policy.scale_down_delay = scaling.scale_down_delay;
  policy.retention = scaling.retention;
  policy.grace = scaling.grace;
  policy.progress_deadline = scaling.progress_deadline;
  policy.scale_to_zero = scaling.scale_to_zero;
  policy.activation_scale = static_cast<std::int32_t>(scaling.activation_scale.value_or(1));
  policy.target_burst_capacity = scaling.target_burst_capacity;
  policy.min_scale = static_cast<std::int32_t>(scaling.min_scale);
  if (scaling.max_scale) policy.max_scale = static_cast<std::int32_t>(*scaling.max_scale);
  policy.initial_scale = static_cast<std::int32_t>(scaling.initial_scale);
  return policy;
}

WindowShape shape_of(const config::ScalingPolicy& scaling) {
  WindowShape shape;
  shape.metric = scaling.metric == config::ScalingPolicy::Metric::rps
                     ? WindowShape::Metric::rps
                     : WindowShape::Metric::concurrency;
  shape.stable_seconds = scaling.stable_window.count();
  shape.panic_seconds = scaling.panic_window().count();
  shape.averaging = scaling.aggregation == config::ScalingPolicy::Aggregation::linear
                        ? Averaging::linear
                        : Averaging::weighted_exponential;
  return shape;
}

TimePoint next_turn(const wire::RevisionKey& key, TimePoint now) {
  std::uint32_t hash = 2166136261U;  // FNV-1a
  for (const char c : key.name_space + "/" + key.revision) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  }
  const Duration phase = kLoopStep * (hash % (kTick / kLoopStep));
  const Duration passed = (now.time_since_epoch() - phase) % kTick;
  return now - passed + kTick;
}

std::string_view metric_name(const config::ScalingPolicy& scaling) noexcept {
  return scaling.metric == config::ScalingPolicy::Metric::rps ? "rps" : "concurrency";
}

}  // namespace pilotlight::autoscaler
