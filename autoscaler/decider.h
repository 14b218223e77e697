#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/clock.h"

/// LIFE OF A DECISION. Pure: what is known, the rules, what was decided before and the time go in;
/// how many replicas there shall be, and why, comes out.
namespace pilotlight::autoscaler {

/// How a signal's averages relate to replicas.
enum class SignalKind : std::uint8_t {
  average,      ///< A sum over all replicas; `target` is what each should have of it.
  value,        ///< One number for all of them; replicas follow in its proportion to `target`.
  utilization,  ///< A mean ratio over the replicas; they follow in its proportion to `target`.
};

/// What one source of demand asks for. The decider follows the largest answer of all signals.
struct Signal {
  std::string name;  ///< "concurrency", "rps", "parked_wait".
  SignalKind kind = SignalKind::average;
  bool known = true;    ///< False: its data is missing, so it holds what there is.
  double stable = 0;    ///< Average over the stable window.
  double panic = 0;     ///< Average over the panic window.
  double target = 0.7;  ///< With headroom. Above 0.
  double total = 1;     ///< Per replica, without headroom; of an `average` only.

  friend bool operator==(const Signal&, const Signal&) = default;
};

/// Everything that is known at the time of a decision.
struct Observation {
  /// The first one is the metric of the policy. None, or none that is known: nothing is decided.
  std::vector<Signal> signals;
  /// Replicas that said READY and do not drain, and those that only the API calls ready.
  std::int32_t ready = 0;
  std::int32_t replicas = 0;      ///< What the Deployment asks for now.
  std::uint32_t waiting_now = 0;  ///< In flight, queued or parked anywhere, by the newest gauges.
  std::int32_t floor = 0;         ///< Of `pilotlight.dev/floor`, at this time of the day.
  std::optional<std::uint32_t> poke;  ///< Parked requests of a POKE that is decided now.
  bool can_wake = true;               ///< An activator is connected, so asleep is not out of reach.

  friend bool operator==(const Observation&, const Observation&) = default;
};

/// The rules of one revision, in numbers (config/scaling_policy.h reads them from annotations).
struct Policy {
  double max_up_rate = 1000;
  double max_down_rate = 2;
  double panic_threshold = 2;  ///< Ratio: 2 means twice what is ready.
  Duration stable_window = std::chrono::seconds(60);
  Duration scale_down_delay{};
  Duration retention{};  ///< Keeps the last replica that long after demand ended.
  /// The last replica stays that long after the activator has come into the path. It matters only
  /// where traffic went past it: with a target burst capacity of 0 or more.
  Duration grace = std::chrono::seconds(30);
  Duration progress_deadline = std::chrono::seconds(600);  ///< For a woken replica to be ready.
  std::int32_t activation_scale = 1;
  double target_burst_capacity = -1;
  bool reachable = true;
  bool scale_to_zero = true;
  std::int32_t min_scale = 0;
  std::optional<std::int32_t> max_scale;
  std::int32_t initial_scale = 1;

  friend bool operator==(const Policy&, const Policy&) = default;
};

/// What is remembered of one revision between its decisions.
struct DeciderState {
  std::optional<TimePoint> panic_since;
  std::int32_t max_panic = 0;

  /// (slot, desired) with falling values: its front is the largest of the last scale-down-delay.
  std::vector<std::pair<std::int64_t, std::int32_t>> delayed;

  /// No change before that time, wakes excepted: windows are empty after a restart.
  std::optional<TimePoint> hold_until;

  /// The first replicas (or a wake's) were asked for, and since when as many are ready.
  bool initial_reached = false;
  std::optional<TimePoint> initial_ready_since;
  std::optional<TimePoint> activating_since;
  std::optional<TimePoint> active_since;
  std::optional<TimePoint> idle_since;  ///< It could sleep since then, but for grace or retention.
  std::optional<TimePoint> proxied_since;  ///< The activator has been in the path since then.

  friend bool operator==(const DeciderState&, const DeciderState&) = default;
};

/// Why the number is what it is.
enum class Reason : std::uint8_t {
  unknown,       ///< Demand is unknown: nothing is taken away.
  hold,          ///< The time after a restart.
  poke,          ///< A wake.
  load,          ///< The stable average.
  panic,         ///< The panic window.
  delay,         ///< scale-down-delay keeps an earlier, larger number.
  idle,          ///< No demand over the stable window: asleep.
  in_flight,     ///< Idle on average, but something is there right now.
  activating,    ///< Woken, not ready yet, or ready for less than one window.
  retention,     ///< scale-to-zero-pod-retention-period.
  grace,         ///< scale-to-zero-grace-period: the activator has just come into the path.
  no_activator,  ///< Nobody could wake it.
  initial,       ///< Initial scale, until one window after it was ready.
  floor,         ///< pilotlight.dev/floor.
  bounds,        ///< min-scale, max-scale or enable-scale-to-zero.
};

/// "poke", "load", ...: the word in events and in `status`.
[[nodiscard]] std::string_view to_string(Reason reason) noexcept;

struct Decision {
  std::optional<std::int32_t> desired;  ///< None: leave it as it is.
  Reason reason = Reason::unknown;
  std::size_t leading = 0;  ///< Which signal the number is from.
  double stable = 0;        ///< Its averages (a POKE's count stands for both).
  double panic = 0;
  bool panicking = false;
  bool limited = false;  ///< max-scale allowed no more.
  std::int64_t excess_burst_capacity = 0;
  bool direct = false;  ///< Knative's Serve: the activator may leave the path.

  friend bool operator==(const Decision&, const Decision&) = default;
};

/// The place of an instant in DeciderState::delayed.
[[nodiscard]] std::int64_t delay_slot(TimePoint at) noexcept;

/// One decision at `now`. Changes `state`, which belongs to the revision.
///
/// Total: any number may come in. A signal with an average, target or total that is not finite, or
/// a target that is not above 0, counts as one whose data is missing. Never falls as load grows.
[[nodiscard]] Decision decide(const Observation& seen, const Policy& policy, DeciderState& state,
                              TimePoint now);

/// The part that Knative's own decisions are compared with: from averages to a
/// number, before bounds and the way to zero. `ready` 0 or more; at least one signal is usable.
[[nodiscard]] Decision follow_demand(std::span<const Signal> signals, std::int32_t ready,
                                     const Policy& policy, DeciderState& state, TimePoint now);

}  // namespace pilotlight::autoscaler
