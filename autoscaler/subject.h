#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "autoscaler/collector.h"
#include "autoscaler/decider.h"
#include "autoscaler/early_history.h"
#include "common/wire/frames.h"
#include "config/scaling_policy.h"

namespace pilotlight::autoscaler {

/// A revision's Deployment as the decisions need it.
struct SubjectView {
  wire::RevisionKey key;
  std::string service;
  std::string deployment;
  std::int32_t replicas = 0;    ///< spec.replicas
  std::int32_t ready = 0;       ///< status.readyReplicas: with a sidecar or without.
  std::int64_t generation = 1;  ///< 1: nobody has scaled it since it was made.
  bool reachable = true;        ///< Something routes to it.
  std::string refused;          ///< Why its pods cannot be made; "" when they can.
  config::ScalingPolicy policy;
};

/// One revision under the autoscaler's control.
struct Subject {
  explicit Subject(TimePoint now) : collector(now) {}

  SubjectView view;
  Policy policy;
  Collector collector;
  DeciderState state;
  Decision last;                ///< The newest decision.
  std::int32_t desired = 0;     ///< What was last wanted.
  std::string rival;            ///< Who else scales it, so that it is left alone; "": nobody.
  std::uint64_t wakes = 0;      ///< From zero to some.
  bool direct = false;          ///< Requests may go past the activators.
  TimePoint direct_until{};     ///< And may still come that way: nodes hear of it later.
  bool refusing = false;        ///< The chronicle has refusals to tell.
  bool given = false;           ///< `state` was changed since the last turn, not by a decision.
  bool sender_missing = false;  ///< As it was last logged.
  std::optional<TimePoint> unheard_since;  ///< A replica serves of which nothing is heard.
  TimePoint next_tick{};

  /// An event of the watch that still shows `from` shortly after a patch is old news.
  struct Patched {
    std::int32_t from = 0;
    TimePoint until{};
  };
  std::optional<Patched> patched;

  /// After a start, until what the process before knew is known here, or given up.
  struct Return {
    TimePoint until{};  ///< At the latest.
    std::optional<KeptCheckpoint> checkpoint;
    bool woken = false;  ///< By a POKE: its state is newer than any checkpoint.
  };
  std::optional<Return> returning;

  /// It ran already when it became ours, and requests come to pods without a sidecar still. After
  /// that time it is held only while the API calls some of them ready.
  std::optional<TimePoint> arriving_until;
  std::optional<DeciderState> left;  ///< What the activators keep for a successor.
};

/// The rules as plain numbers, and what is measured for them.
[[nodiscard]] Policy policy_of(const config::ScalingPolicy& scaling);
[[nodiscard]] WindowShape shape_of(const config::ScalingPolicy& scaling);

inline constexpr Duration kTick = std::chrono::seconds(2);  ///< Knative's period of decisions.
/// How often seconds are closed and the lost are let go.
inline constexpr Duration kLoopStep = std::chrono::milliseconds(100);

/// The revision's next turn after `now`: the same instants whichever process asks, and spread over
/// the period so that not all revisions are decided on at once.
[[nodiscard]] TimePoint next_turn(const wire::RevisionKey& key, TimePoint now);

/// "concurrency" or "rps".
[[nodiscard]] std::string_view metric_name(const config::ScalingPolicy& scaling) noexcept;

}  // namespace pilotlight::autoscaler
