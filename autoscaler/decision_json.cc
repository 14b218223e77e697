#include "autoscaler/decision_json.h"

#include <nlohmann/json.hpp>

namespace pilotlight::autoscaler {
namespace {

using nlohmann::json;

json seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

/// How long ago, in seconds; null when never. Instants themselves mean nothing to a reader.
json since(const std::optional<TimePoint>& then, TimePoint now) {
  return then ? seconds(now - *then) : json();
}

template <class T>
json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json();
}

std::string_view name_of(SignalKind kind) {
  switch (kind) {
    case SignalKind::average: return "average";
    case SignalKind::value: return "value";
    case SignalKind::utilization: return "utilization";
  }
  return "other";
}

json seen_of(const Observation& seen) {
  json signals = json::array();
  for (const Signal& signal : seen.signals) {
    signals.push_back({{"name", signal.name},
                       {"kind", name_of(signal.kind)},
                       {"known", signal.known},
                       {"stable", signal.stable},
                       {"panic", signal.panic},
                       {"target", signal.target},
                       {"total", signal.total}});
  }
  return {{"signals", std::move(signals)}, {"ready", seen.ready}, {"replicas", seen.replicas},
          {"present", seen.waiting_now},   {"floor", seen.floor}, {"parked", or_null(seen.poke)},
          {"can_wake", seen.can_wake}};
}

json policy_of(const Policy& policy) {
  return {{"max_scale_up_rate", policy.max_up_rate},
          {"max_scale_down_rate", policy.max_down_rate},
          {"panic_threshold", policy.panic_threshold},
          {"stable_window_s", seconds(policy.stable_window)},
          {"scale_down_delay_s", seconds(policy.scale_down_delay)},
          {"retention_s", seconds(policy.retention)},
          {"grace_s", seconds(policy.grace)},
          {"progress_deadline_s", seconds(policy.progress_deadline)},
          {"activation_scale", policy.activation_scale},
          {"target_burst_capacity", policy.target_burst_capacity},
          {"reachable", policy.reachable},
          {"scale_to_zero", policy.scale_to_zero},
          {"min_scale", policy.min_scale},
          {"max_scale", or_null(policy.max_scale)},
          {"initial_scale", policy.initial_scale}};
}

json state_of(const DeciderState& state, TimePoint now) {
  json delayed = json::array();
  for (const auto& [slot, desired] : state.delayed) {
    delayed.push_back({{"slot", slot}, {"desired", desired}});
  }
  return {{"panic_s", since(state.panic_since, now)},
          {"max_panic", state.max_panic},
          {"delayed", std::move(delayed)},
          {"hold_s", state.hold_until ? seconds(*state.hold_until - now) : json()},
          {"initial_reached", state.initial_reached},
          {"initial_ready_s", since(state.initial_ready_since, now)},
          {"activating_s", since(state.activating_since, now)},
          {"active_s", since(state.active_since, now)},
          {"idle_s", since(state.idle_since, now)},
          {"proxied_s", since(state.proxied_since, now)}};
}

}  // namespace

std::string decision_json(const wire::RevisionKey& revision, const std::string& service,
                          const LoggedDecision& logged, const std::string& text) {
  const json line = {{"ms", logged.unix_ms},
                     {"namespace", revision.name_space},
                     {"service", service},
                     {"revision", revision.revision},
                     {"event", "decision"},
                     {"at_ns", logged.at.time_since_epoch().count()},
                     {"from", logged.from()},
                     {"desired", logged.desired()},
                     {"reason", to_string(logged.decision.reason)},
                     {"text", text},
                     {"stable", logged.decision.stable},
                     {"panic", logged.decision.panic},
                     {"panicking", logged.decision.panicking},
                     {"limited", logged.decision.limited},
                     {"excess_burst_capacity", logged.decision.excess_burst_capacity},
                     {"direct", logged.decision.direct},
                     {"decided", logged.decision.desired.has_value()},
                     {"leading", logged.decision.leading},
                     {"seen", seen_of(logged.seen)},
                     {"policy", policy_of(logged.policy)},
                     {"before", state_of(logged.before, logged.at)}};
  return line.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace pilotlight::autoscaler
