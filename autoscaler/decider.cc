#include "autoscaler/decider.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

constexpr Duration kDelaySlot = 2s;  // Knative's granularity of scale-down-delay

// Patience beyond the progress deadline.
constexpr Duration kPatience = 30s;

/// A number of replicas, whatever the arithmetic gave.
std::int32_t to_count(double value) noexcept {
  constexpr auto kMost = std::numeric_limits<std::int32_t>::max();
  if (!(value > 0)) return 0;
  return value < static_cast<double>(kMost) ? static_cast<std::int32_t>(value) : kMost;
}

std::int64_t to_capacity(double value) noexcept {
  constexpr double kMost = 9e18;  // inside int64
  if (std::isnan(value)) return 0;
  return static_cast<std::int64_t>(std::clamp(value, -kMost, kMost));
}

bool usable(const Signal& signal) noexcept {
  return signal.known && std::isfinite(signal.stable) && std::isfinite(signal.panic) &&
         std::isfinite(signal.total) && std::isfinite(signal.target) && signal.target > 0;
}

/// Replicas that the signals ask for, before any limit: the largest of each window.
struct Wants {
  double stable = 0;
  double panic = 0;
  std::size_t stable_signal = 0;  // which asks for it
  std::size_t panic_signal = 0;
};

Wants wants_of(std::span<const Signal> signals, double ready) {
  Wants out;
  double most_stable = -1;
  double most_panic = -1;
  for (std::size_t i = 0; i < signals.size(); ++i) {
    const Signal& signal = signals[i];
    if (!usable(signal)) continue;
    // A value, or a ratio, says how far off the replicas are that there are.
    const double share = signal.kind == SignalKind::average ? 1 : ready;
    const double stable = std::ceil(share * signal.stable / signal.target);
    const double panic = std::ceil(share * signal.panic / signal.target);
    if (stable > most_stable) {
      most_stable = stable;
      out.stable_signal = i;
    }
    if (panic > most_panic) {
      most_panic = panic;
      out.panic_signal = i;
    }
  }
  out.stable = std::max(most_stable, 0.0);
  out.panic = std::max(most_panic, 0.0);
  return out;
}

std::int64_t excess_burst_capacity(std::span<const Signal> signals, std::int32_t ready,
                                   double burst) {
  if (burst < 0) return -1;
  if (burst == 0) return 0;
  const Signal& metric = signals.front();
  if (!usable(metric)) return -1;  // nobody knows: the activator stays
  const double room = static_cast<double>(ready) * metric.total - burst - metric.panic;
  return to_capacity(std::floor(room));
}

/// min(max(value, low), high): `high` wins when the two cross.
double between(double value, double low, double high) {
  return std::min(std::max(value, low), high);
}

/// Remembers `desired` in the slot of `now`; @return the largest of the last `delay`.
std::int32_t largest_of_late(DeciderState& state, std::int32_t desired, Duration delay,
                             TimePoint now) {
  const std::int64_t slot = delay_slot(now);
  const std::int64_t slots = (delay + kDelaySlot - Duration(1)) / kDelaySlot;
  auto& late = state.delayed;
  std::erase_if(late, [&](const auto& entry) { return entry.first <= slot - slots; });
  while (!late.empty() && late.back().second <= desired) late.pop_back();
  late.emplace_back(slot, desired);
  return late.front().second;
}

/// Replicas at the start, as many as may be.
std::int32_t initial_of(const Policy& policy) noexcept {
  return std::min(policy.initial_scale, policy.max_scale.value_or(policy.initial_scale));
}

/// Whether bounds keep a replica however little there is to do: apply_bounds() asked about nothing,
/// but for an initial scale of 1, which is a wake's own.
bool never_sleeps(const Observation& seen, const Policy& policy, const DeciderState& state) {
  if (!policy.scale_to_zero) return true;
  if (!policy.reachable) return false;
  return seen.floor > 0 || policy.min_scale > 0 ||
         (!state.initial_reached && initial_of(policy) > 1);
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
  const std::int32_t initial = initial_of(policy);
  if (seen.ready < initial) {
    state.initial_ready_since.reset();
    const bool hopeless = state.activating_since &&
                          now - *state.activating_since > policy.progress_deadline + kPatience;
    state.initial_reached = hopeless || (seen.replicas == 0 && initial <= 1);
  } else {
    if (!state.initial_ready_since) state.initial_ready_since = now;
    state.initial_reached =
        initial == 0 || now - *state.initial_ready_since >= policy.stable_window;
  }
}

/// Demand says zero: whether the last replica may really go, and if not why.
Reason why_not_asleep(const Observation& seen, const Policy& policy, DeciderState& state,
                      TimePoint now) {
  const auto since = [now](const std::optional<TimePoint>& then) { return now - *then; };
  const Duration patience = policy.progress_deadline + kPatience;
  const bool waking = state.activating_since && since(state.activating_since) <= patience;
  const bool fresh = state.active_since && since(state.active_since) < policy.stable_window;
  if (seen.waiting_now > 0 || waking || fresh) {
    state.idle_since.reset();
    return seen.waiting_now > 0 ? Reason::in_flight : Reason::activating;
  }
  if (!state.idle_since) state.idle_since = now;
  if (!seen.can_wake && policy.reachable) return Reason::no_activator;
  const Duration idle = since(state.idle_since);
  if (policy.reachable && idle < policy.retention) return Reason::retention;
  const bool bypassed = policy.target_burst_capacity >= 0;
  if (bypassed && idle < policy.grace && since(state.proxied_since) < policy.grace) {
    return Reason::grace;
  }
  return Reason::idle;
}

/// Serve if and only if something is wanted, by load or by a bound, and there is room to spare.
void choose_path(Decision& decision, bool kept, DeciderState& state, TimePoint now) {
  decision.direct = (*decision.desired > 0 || kept) && decision.excess_burst_capacity >= 0;
  if (decision.direct) {
    state.proxied_since.reset();
    state.idle_since.reset();
  } else if (!state.proxied_since) {
    state.proxied_since = now;
  }
}

/// Demand keeps its name while it only stops at max-scale; the bounds are the reason when they
/// alone move the number.
void apply_bounds(Decision& decision, const Observation& seen, const Policy& policy,
                  const DeciderState& state) {
  std::int32_t desired = *decision.desired;
  if (policy.reachable && !state.initial_reached && desired < initial_of(policy)) {
    desired = initial_of(policy);
    decision.reason = Reason::initial;
  }
  if (policy.reachable && desired < seen.floor) {
    desired = seen.floor;
    decision.reason = Reason::floor;
  }
  if (desired == 0 && !policy.scale_to_zero) {
    desired = 1;
    decision.reason = Reason::bounds;
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
  std::vector<Signal> signals = seen.signals;
  Signal& parked = signals.front();
  const auto count = static_cast<double>(*seen.poke);
  parked.stable = usable(parked) ? std::max(parked.stable, count) : count;
  parked.panic = usable(parked) ? std::max(parked.panic, count) : count;
  parked.known = true;
  Decision decision = follow_demand(signals, seen.ready, policy, state, now);
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
    case Reason::grace: return "grace";
    case Reason::no_activator: return "no_activator";
    case Reason::initial: return "initial";
    case Reason::floor: return "floor";
    case Reason::bounds: return "bounds";
  }
  return "other";
}

std::int64_t delay_slot(TimePoint at) noexcept { return at.time_since_epoch() / kDelaySlot; }

Decision follow_demand(std::span<const Signal> signals, std::int32_t ready, const Policy& policy,
                       DeciderState& state, TimePoint now) {
  const double r = std::max(1.0, static_cast<double>(ready));
  const double up = std::ceil(policy.max_up_rate * r);
  const double down = policy.reachable ? std::floor(r / policy.max_down_rate) : 0;
  const Wants wants = wants_of(signals, r);
  double stable = between(wants.stable, down, up);
  double panic = between(wants.panic, down, up);
  if (policy.activation_scale > 1) {
    const auto least = static_cast<double>(policy.activation_scale);
    if (wants.stable > 0) stable = std::max(stable, least);
    if (wants.panic > 0) panic = std::max(panic, least);
  }

  if (wants.panic / r >= policy.panic_threshold) {
    state.panic_since = now;
  } else if (state.panic_since && *state.panic_since + policy.stable_window < now) {
    state.panic_since.reset();
    state.max_panic = 0;
  }

  Decision decision;
  decision.panicking = state.panic_since.has_value();
  decision.leading =
      decision.panicking && wants.panic > wants.stable ? wants.panic_signal : wants.stable_signal;
  decision.stable = signals[decision.leading].stable;
  decision.panic = signals[decision.leading].panic;
  decision.reason = Reason::load;
  std::int32_t desired = to_count(stable);
  if (decision.panicking) {
    const std::int32_t wanted = to_count(std::max(stable, panic));
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
  decision.excess_burst_capacity =
      excess_burst_capacity(signals, ready, policy.target_burst_capacity);
  return decision;
}

Decision decide(const Observation& seen, const Policy& policy, DeciderState& state, TimePoint now) {
  note_progress(seen, policy, state, now);
  Decision decision;
  if (seen.signals.empty()) return decision;
  decision.stable = seen.signals.front().stable;
  decision.panic = seen.signals.front().panic;
  // Held counts come first: after a restart an activator may be back before the sidecars are.
  if (state.hold_until && now < *state.hold_until && seen.replicas > 0) {
    decision.reason = Reason::hold;
    return decision;
  }
  if (seen.poke && seen.ready == 0 && seen.signals.front().target > 0) {
    decision = wake(seen, policy, state, now);
    choose_path(decision, false, state, now);
    apply_bounds(decision, seen, policy, state);
    return decision;
  }
  const auto known = std::count_if(seen.signals.begin(), seen.signals.end(), usable);
  if (known == 0) return decision;
  decision = follow_demand(seen.signals, seen.ready, policy, state, now);
  choose_path(decision, never_sleeps(seen, policy, state), state, now);
  const bool blind = known < std::ssize(seen.signals);
  if (*decision.desired > 0) {
    state.idle_since.reset();
  } else if (!blind && !decision.direct) {
    decision.reason = seen.replicas == 0 && seen.waiting_now == 0
                          ? Reason::idle
                          : why_not_asleep(seen, policy, state, now);
    decision.desired = decision.reason == Reason::idle ? 0 : 1;
  }
  if (blind && *decision.desired < seen.replicas) {  // what is missing might have asked for more
    decision.desired = seen.replicas;
    decision.reason = Reason::unknown;
  }
  apply_bounds(decision, seen, policy, state);
  return decision;
}

}  // namespace pilotlight::autoscaler
