#include "autoscaler/decider.h"

#include <algorithm>
#include <cmath>

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

constexpr Duration kDelaySlot = 2s;  // Knative's granularity of scale-down-delay

// A replica that is not ready by then is not expected any more: Knative's default progress deadline
// plus its 30 s of patience (knative.md 3.9).
constexpr Duration kProgressDeadline = 630s;

/// min(max(value, low), high): `high` wins when the two cross.
double between(double value, double low, double high) {
  return std::min(std::max(value, low), high);
}

/// Remembers `desired` in the slot of `now`; @return the largest of the last `delay`.
std::int32_t largest_of_late(DeciderState& state, std::int32_t desired, Duration delay,
                             TimePoint now) {
  const std::int64_t slot = now.time_since_epoch() / kDelaySlot;
  const std::int64_t slots = (delay + kDelaySlot - Duration(1)) / kDelaySlot;
  auto& late = state.delayed;
  while (!late.empty() && late.front().first <= slot - slots) late.pop_front();
  while (!late.empty() && late.back().second <= desired) late.pop_back();
  late.emplace_back(slot, desired);
  return late.front().second;
}

void note_progress(const Observation& seen, const Policy& policy, DeciderState& state,
                   TimePoint now) {
  if (seen.ready > 0) {
    state.activating_since.reset();
    if (!state.active_since) state.active_since = now;
  } else {
    state.active_since.reset();
    if (seen.replicas == 0) state.activating_since.reset();
    if (seen.replicas > 0 && !state.activating_since) state.activating_since = now;
  }
  if (state.initial_reached) return;
  if (seen.ready < policy.initial_scale) {
    state.initial_ready_since.reset();
    const bool hopeless =
        state.activating_since && now - *state.activating_since > kProgressDeadline;
    state.initial_reached = hopeless || (seen.replicas == 0 && policy.initial_scale <= 1);
  } else {
    if (!state.initial_ready_since) state.initial_ready_since = now;
    state.initial_reached =
        policy.initial_scale == 0 || now - *state.initial_ready_since >= policy.stable_window;
  }
}

/// Demand says zero: whether the last replica may really go, and if not why.
Reason why_not_asleep(const Observation& seen, const Policy& policy, DeciderState& state,
                      TimePoint now) {
  if (!state.idle_since) state.idle_since = now;
  if (seen.waiting_now > 0) return Reason::in_flight;
  if (!policy.reachable) return Reason::idle;
  if (state.activating_since && now - *state.activating_since <= kProgressDeadline) {
    return Reason::activating;
  }
  if (state.active_since && now - *state.active_since < policy.stable_window) {
    return Reason::activating;
  }
  if (!seen.can_wake) return Reason::no_activator;
  if (now - *state.idle_since < policy.retention) return Reason::retention;
  return Reason::idle;
}

/// Demand keeps its name while it only stops at max-scale; the bounds are the reason when they
/// alone move the number.
void apply_bounds(Decision& decision, const Observation& seen, const Policy& policy,
                  const DeciderState& state) {
  std::int32_t desired = *decision.desired;
  if (policy.reachable && !state.initial_reached && desired < policy.initial_scale) {
    desired = policy.initial_scale;
    decision.reason = Reason::initial;
  }
  if (policy.reachable && desired < policy.min_scale) {
    desired = policy.min_scale;
    decision.reason = Reason::bounds;
  }
  if (policy.max_scale && desired > *policy.max_scale) {
    desired = *policy.max_scale;
    decision.limited = true;
    if (desired < seen.replicas) decision.reason = Reason::bounds;
  }
  decision.desired = desired;
}

/// A wake: its count stands for both averages, because the windows cannot know of it yet.
Decision wake(const Observation& seen, const Policy& policy, DeciderState& state, TimePoint now) {
  Signal parked = *seen.signal;
  parked.stable = std::max(parked.stable, static_cast<double>(*seen.poke));
  parked.panic = std::max(parked.panic, static_cast<double>(*seen.poke));
  Decision decision = follow_demand(parked, seen.ready, policy, state, now);
  decision.desired = std::max({*decision.desired, seen.replicas, 1});
  decision.reason = Reason::poke;
  state.idle_since.reset();
  return decision;
}

}  // namespace

std::string_view to_string(Reason reason) noexcept {
  switch (reason) {
    case Reason::unknown: return "unknown";
    case Reason::hold: return "hold";
    case Reason::poke: return "poke";
    case Reason::load: return "load";
    case Reason::panic: return "panic";
    case Reason::delay: return "delay";
    case Reason::idle: return "idle";
    case Reason::in_flight: return "in_flight";
    case Reason::activating: return "activating";
    case Reason::retention: return "retention";
    case Reason::no_activator: return "no_activator";
    case Reason::initial: return "initial";
    case Reason::bounds: return "bounds";
  }
  return "other";
}

Decision follow_demand(const Signal& signal, std::int32_t ready, const Policy& policy,
                       DeciderState& state, TimePoint now) {
  const double r = std::max(1.0, static_cast<double>(ready));
  const double up = std::ceil(policy.max_up_rate * r);
  const double down = policy.reachable ? std::floor(r / policy.max_down_rate) : 0;
  const double stable_wants = std::ceil(signal.stable / signal.target);
  const double panic_wants = std::ceil(signal.panic / signal.target);
  double stable = between(stable_wants, down, up);
  double panic = between(panic_wants, down, up);
  if (policy.activation_scale > 1) {
    const auto least = static_cast<double>(policy.activation_scale);
    if (stable_wants > 0) stable = std::max(stable, least);
    if (panic_wants > 0) panic = std::max(panic, least);
  }

  if (panic_wants / r >= policy.panic_threshold) {
    state.panic_since = now;
  } else if (state.panic_since && *state.panic_since + policy.stable_window < now) {
    state.panic_since.reset();
    state.max_panic = 0;
  }

  Decision decision;
  decision.stable = signal.stable;
  decision.panic = signal.panic;
  decision.panicking = state.panic_since.has_value();
  decision.reason = Reason::load;
  auto desired = static_cast<std::int32_t>(stable);
  if (decision.panicking) {
    const auto wanted = static_cast<std::int32_t>(std::max(stable, panic));
    state.max_panic = std::max(state.max_panic, wanted);
    if (state.max_panic > desired) decision.reason = Reason::panic;
    desired = state.max_panic;
  }
  if (policy.reachable && policy.scale_down_delay > Duration::zero()) {
    const std::int32_t kept = largest_of_late(state, desired, policy.scale_down_delay, now);
    if (kept > desired) decision.reason = Reason::delay;
    desired = kept;
  }
  decision.desired = desired;

  const double burst = policy.target_burst_capacity;
  if (burst > 0) {
    const double room = static_cast<double>(ready) * signal.total - burst - signal.panic;
    decision.excess_burst_capacity = static_cast<std::int64_t>(std::floor(room));
  } else {
    decision.excess_burst_capacity = burst < 0 ? -1 : 0;
  }
  return decision;
}

Decision decide(const Observation& seen, const Policy& policy, DeciderState& state, TimePoint now) {
  note_progress(seen, policy, state, now);
  Decision decision;
  if (!seen.signal) return decision;
  decision.stable = seen.signal->stable;
  decision.panic = seen.signal->panic;
  // Held counts come first: after a restart an activator may be back before the sidecars are.
  if (state.hold_until && now < *state.hold_until && seen.replicas > 0) {
    decision.reason = Reason::hold;
    return decision;
  }
  if (seen.poke && seen.ready == 0) {
    decision = wake(seen, policy, state, now);
    apply_bounds(decision, seen, policy, state);
    return decision;
  }
  decision = follow_demand(*seen.signal, seen.ready, policy, state, now);
  if (seen.signal->stable > 0) state.idle_since.reset();
  if (*decision.desired == 0) {
    decision.reason = seen.replicas == 0 && seen.waiting_now == 0
                          ? Reason::idle
                          : why_not_asleep(seen, policy, state, now);
    decision.desired = decision.reason == Reason::idle ? 0 : 1;
  }
  apply_bounds(decision, seen, policy, state);
  return decision;
}

}  // namespace pilotlight::autoscaler
