#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "autoscaler/chronicle.h"
#include "autoscaler/decision_file.h"
#include "autoscaler/decision_log.h"
#include "autoscaler/early_history.h"
#include "autoscaler/path_teller.h"
#include "autoscaler/pod_costs.h"
#include "autoscaler/registry.h"
#include "autoscaler/rivals.h"
#include "autoscaler/scaler.h"
#include "autoscaler/subject.h"
#include "common/async/scope.h"
#include "common/control/event_log.h"
#include "common/wire/server.h"

namespace pilotlight::autoscaler {

/// The heart of the autoscaler: what comes in over the wire and from the API meets here, every
/// revision is decided on each 2 s and at once on a POKE, and what changes goes to the Scaler.
///
///   STATS -> Collector ---+
///   READY -> Registry ----+--> decide() --> Scaler --> ScaleTarget (PATCH)
///   POKE -----------------+        |
///   Deployments -> track()         +--> DecisionLog, events, PathTeller
///
/// Decisions of a revision are on a grid of the clock, so those of the next process fall on the
/// same instants. After a start it holds the replica counts that others have set, wakes excepted,
/// until every ready replica's sidecar and every activator has replayed what it has measured, or
/// one stable window has passed. Then the windows and the decider's state are what they were in the
/// process before. One shard.
class Loop final : public wire::ServerListener, public RegistryListener, public ScalerListener {
 public:
  /// What the log keeps and whatever else happens goes to `file` too, if there is one; every second
  /// and every turn to `recording` (autoscaler/recording.h).
  Loop(Scope& scope, Clock& clock, std::uint64_t epoch, ScaleTarget& target,
       std::mt19937_64& random, DecisionFile* file = nullptr, DecisionFile* recording = nullptr);

  /// Another process decides: from here on this one only keeps in mind which revisions there are.
  /// To be called before anything else.
  void follow() noexcept;
  /// This process decides from here on, as one that has just begun does; what it protects until it
  /// knows what the other knew counts from now. Peers come after this. `vacant_since`: when the
  /// leader before was last seen to lead; the turns of since then are made up for.
  void lead(std::optional<TimePoint> vacant_since = std::nullopt);
  [[nodiscard]] bool leading() const noexcept { return leading_; }

  /// A Deployment of ours is there, or has changed.
  void track(const SubjectView& view);
  void untrack(const wire::RevisionKey& revision);
  /// Somebody else scales this Deployment, or nobody else ("") any more: it is left alone as long.
  void rival(const Rivals::Name& deployment, const std::string& who);
  /// What the calendar says, in nanoseconds since 1970: floors go by it. The system's if not told.
  void tell_time_by(std::function<std::int64_t()> wall) { wall_ns_ = std::move(wall); }
  /// Is told which way requests go. Must outlive this.
  void tell_paths(PathTeller& paths) noexcept;
  [[nodiscard]] const PathTeller* paths() const noexcept { return paths_; }

  /// The PathTeller has seen every private Service that there is. Until then no replica that ends
  /// is promised that nothing comes.
  void paths_known();

  /// All Deployments that were there at the start have been told of.
  void deployments_known();

  /// Decides what is due, every 100 ms, until close(). Spawn it once.
  [[nodiscard]] Task<> run();
  void close() noexcept;

  void joined(wire::Peer& peer) override;
  void received(wire::Peer& peer, const wire::Frame& frame) override;
  void left(wire::Peer& peer, std::string_view reason, bool replaced) override;
  void replica_ready(const wire::RevisionKey& revision, const ReplicaRecord& replica) override;
  void replica_not_ready(const wire::RevisionKey& revision, const ReplicaRecord& replica,
                         std::string_view reason) override;
  void attempted(const wire::RevisionKey& revision, const PatchOutcome& outcome) override;

  /// What the API shows of the replicas' Pods.
  void pod_changed(const PodView& pod);
  void pod_gone(const PodView& pod);
  void pod_warned(const WarningView& warning);
  void image_pulled(const PulledView& pulled);

  using Subjects = std::map<wire::RevisionKey, std::unique_ptr<Subject>>;
  [[nodiscard]] const Subjects& subjects() const noexcept { return subjects_; }
  [[nodiscard]] Registry& registry() noexcept { return registry_; }
  [[nodiscard]] const Registry& registry() const noexcept { return registry_; }
  [[nodiscard]] const DecisionLog& log() const noexcept { return log_; }
  [[nodiscard]] const Chronicle& chronicle() const noexcept { return chronicle_; }
  [[nodiscard]] const DecisionFile* file() const noexcept { return file_; }
  [[nodiscard]] const Scaler& scaler() const noexcept { return scaler_; }
  [[nodiscard]] control::EventLog& events() noexcept { return events_; }
  [[nodiscard]] TimePoint now() const noexcept { return clock_.now(); }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }

 private:
  /// Of a revision that was not known yet.
  struct EarlyPoke {
    TimePoint at{};
    std::uint32_t parked = 0;
    Duration oldest_wait{};
  };

  // A client tries again every second, so whoever lives has come by then.
  static constexpr Duration kSendersTime = std::chrono::seconds(2);

  [[nodiscard]] Task<> tick();
  void tend(Subject& subject, TimePoint now);
  void poke(wire::Peer& activator, const wire::Poke& frame);
  void keep_early(const wire::Poke& frame, TimePoint now);
  void early_poke(Subject& subject, const EarlyPoke& poke, TimePoint now);
  void stats(wire::Peer& peer, const wire::Stats& frame);
  void lost(const wire::Hello& hello, TimePoint now);
  void history(wire::Peer& peer, const wire::History& frame);
  void history_end(wire::Peer& peer, const wire::HistoryEnd& frame);
  void checkpoint(const wire::Checkpoint& frame);
  void await_return(Subject& subject, TimePoint now);
  void take_early(Subject& subject);
  void settle_return(Subject& subject, TimePoint now);
  void arrives(Subject& subject, TimePoint now);
  void settle_arrival(Subject& subject, TimePoint now);
  void leave_checkpoint(Subject& subject, TimePoint now);
  void record_seconds(Subject& subject);
  void record_turn(Subject& subject, const LoggedDecision& logged);
  void leave_to(Subject& subject, const std::string& who);
  void tell_cause(const wire::RevisionKey& revision);
  [[nodiscard]] bool measured(Subject& subject, TimePoint now) const;
  void take_missed_turns(Subject& subject, TimePoint remembered, TimePoint now);
  static void note_senders(Subject& subject);
  void note_path(Subject& subject, TimePoint now);
  void promise_again();
  [[nodiscard]] std::vector<PodCost> costs_of(const Subject& subject, std::int32_t to) const;
  void decide_on(Subject& subject, std::optional<std::uint32_t> parked, TimePoint now);
  void apply(Subject& subject, const LoggedDecision& logged);
  void change_to(Subject& subject, const LoggedDecision& logged, const std::string& text);
  void scaled(const wire::RevisionKey& revision, const PatchOutcome& outcome);
  [[nodiscard]] std::vector<Signal> signals_of(const Subject& subject) const;
  [[nodiscard]] Observation observe(const Subject& subject, std::optional<std::uint32_t> parked,
                                    TimePoint now) const;
  [[nodiscard]] bool demand_known(const Subject& subject) const;

  Clock& clock_;
  std::function<std::int64_t()> wall_ns_;
  std::uint64_t epoch_;
  control::EventLog events_;
  DecisionLog log_;
  DecisionFile* file_;
  Chronicle chronicle_;
  DecisionFile* recording_;
  Registry registry_;
  Scaler scaler_;
  PodCosts costs_;
  PathTeller* paths_ = nullptr;
  std::map<Rivals::Name, std::string> rivals_;  // by Deployment
  Subjects subjects_;
  std::map<wire::RevisionKey, EarlyPoke> early_pokes_;  // of revisions not known yet
  EarlyHistory early_;
  std::map<wire::RevisionKey, SubjectView> followed_;  // in place of subjects, while another leads
  TimePoint senders_by_;  // whoever has something to replay is here by then
  std::unique_ptr<Timer> timer_;
  std::optional<TimePoint> vacant_since_;
  bool leading_ = true;
  bool deployments_known_ = false;
  bool paths_known_ = false;
  bool closed_ = false;
};

}  // namespace pilotlight::autoscaler
