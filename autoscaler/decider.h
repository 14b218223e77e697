#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/clock.h"

/// LIFE OF A DECISION. Pure: what is known, the rules, what was decided before and the time go in;
/// how many replicas there shall be, and why, comes out.
namespace pilotlight::autoscaler {

/// What one source of demand asks for. The decider takes the largest answer of all signals; today
/// there is one, concurrency or requests per second.
struct Signal {
  std::string_view name;  ///< "concurrency", "rps".
  double stable = 0;      ///< Average over the stable window.
  double panic = 0;       ///< Average over the panic window.
  double target = 0.7;    ///< Per replica, with headroom (knative.md 3.3). Above 0.
  double total = 1;       ///< Per replica, without headroom.
};

/// Everything that is known at the time of a decision.
struct Observation {
  std::optional<Signal> signal;   ///< None: demand is unknown, so nothing is decided.
  std::int32_t ready = 0;         ///< Replicas that said READY and do not drain.
  std::int32_t replicas = 0;      ///< What the Deployment asks for now.
  std::uint32_t waiting_now = 0;  ///< In flight, queued or parked anywhere, by the newest gauges.
  std::optional<std::uint32_t> poke;  ///< Parked requests of a POKE that is decided now.
  bool can_wake = true;               ///< An activator is connected, so asleep is not out of reach.
};

/// The rules of one revision, in numbers (config/scaling_policy.h reads them from annotations).
struct Policy {
  double max_up_rate = 1000;
  double max_down_rate = 2;
  double panic_threshold = 2;  ///< Ratio: 2 means twice what is ready.
  Duration stable_window = std::chrono::seconds(60);
  Duration scale_down_delay{};
  Duration retention{};  ///< Keeps the last replica that long after demand ended.
  std::int32_t activation_scale = 1;
  double target_burst_capacity = -1;
  bool reachable = true;
  std::int32_t min_scale = 0;
  std::optional<std::int32_t> max_scale;
  std::int32_t initial_scale = 1;
};

/// What is remembered of one revision between its decisions.
struct DeciderState {
  std::optional<TimePoint> panic_since;
  std::int32_t max_panic = 0;

  /// (slot, desired) with falling values: its front is the largest of the last scale-down-delay.
  std::deque<std::pair<std::int64_t, std::int32_t>> delayed;

  /// No change before that time, wakes excepted: windows are empty after a restart.
  std::optional<TimePoint> hold_until;

  /// The first replicas (or a wake's) were asked for, and since when as many are ready.
  bool initial_reached = false;
  std::optional<TimePoint> initial_ready_since;
  std::optional<TimePoint> activating_since;
  std::optional<TimePoint> active_since;
  std::optional<TimePoint> idle_since;  ///< Demand over the stable window has been 0 since then.
};

/// Why the number is what it is.
enum class Reason {
  unknown,       ///< Demand is unknown: nothing is changed.
  hold,          ///< The time after a restart.
  poke,          ///< A wake.
  load,          ///< The stable average.
  panic,         ///< The panic window.
  delay,         ///< scale-down-delay keeps an earlier, larger number.
  idle,          ///< No demand over the stable window: asleep.
  in_flight,     ///< Idle on average, but something is there right now.
  activating,    ///< Woken, not ready yet, or ready for less than one window.
  retention,     ///< scale-to-zero-pod-retention-period.
  no_activator,  ///< Nobody could wake it.
  initial,       ///< Initial scale, until one window after it was ready.
  bounds,        ///< min-scale or max-scale.
};

/// "poke", "load", ...: the word in events and in `status`.
[[nodiscard]] std::string_view to_string(Reason reason) noexcept;

struct Decision {
  std::optional<std::int32_t> desired;  ///< None: leave it as it is.
  Reason reason = Reason::unknown;
  double stable = 0;  ///< The averages that were used (a POKE's count stands for both).
  double panic = 0;
  bool panicking = false;
  bool limited = false;  ///< max-scale allowed no more.
  std::int64_t excess_burst_capacity = 0;
};

/// One decision at `now`. Changes `state`, which belongs to the revision.
[[nodiscard]] Decision decide(const Observation& seen, const Policy& policy, DeciderState& state,
                              TimePoint now);

/// The part that Knative's own decisions are compared with (knative.md 3.4): from averages to a
/// number, before bounds and the way to zero. `ready` 0 or more.
[[nodiscard]] Decision follow_demand(const Signal& signal, std::int32_t ready, const Policy& policy,
                                     DeciderState& state, TimePoint now);

}  // namespace pilotlight::autoscaler
