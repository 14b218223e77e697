#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "autoscaler/chronicle_json.h"
#include "autoscaler/cold_start.h"
#include "autoscaler/decision_file.h"
#include "autoscaler/decision_log.h"
#include "autoscaler/pod_view.h"
#include "autoscaler/refusals.h"
#include "autoscaler/registry.h"

namespace pilotlight::autoscaler {

/// The event log: hears of everything that happens to a revision and writes it down, one line of
/// the decision file each; times its cold starts on the way.
///
/// It never decides anything. What it keeps per revision is bounded: its Pods (64, the last
/// Warning about each), one cold start, 32 learned times. Pods of revisions that are not known yet
/// wait for them (1,000). Instants are passed in; only the lines' `ms`, for people, is the wall
/// clock's. One shard.
class Chronicle {
 public:
  struct PodCounts {
    std::int32_t not_ready = 0;
    std::int32_t pending = 0;  ///< Its app does not run yet.
    std::int32_t terminating = 0;
  };

  /// `file`: may be null; must outlive this.
  explicit Chronicle(DecisionFile* file) : file_(file) {}

  /// From here on; null for nowhere.
  void write_to(DecisionFile* file) noexcept { file_ = file; }

  /// Only what happens to known revisions is told.
  void know(const wire::RevisionKey& revision, const std::string& service,
            const std::string& deployment, TimePoint now);
  void forget(const wire::RevisionKey& revision);

  /// Somebody else scales it from here on; "": nobody any more.
  void left_to(const wire::RevisionKey& revision, const std::string& who, TimePoint now);
  /// Why its pods cannot be made; "": they can. Told when it changes.
  void creation_refused(const wire::RevisionKey& revision, const std::string& why, TimePoint now);
  void poked(const wire::RevisionKey& revision, std::uint32_t parked, Duration oldest_wait,
             TimePoint now);
  /// Before what it wants is asked for; its line may be written after that.
  void decided(const wire::RevisionKey& revision, const LoggedDecision& logged);
  void write_decision(const wire::RevisionKey& revision, const LoggedDecision& logged,
                      const std::string& text);
  void patched(const wire::RevisionKey& revision, const PatchOutcome& outcome);
  /// These four @return the revision whose pod it is; null for one that is not known.
  const wire::RevisionKey* pod_changed(const PodView& pod, TimePoint now);
  const wire::RevisionKey* pod_gone(const PodView& pod, TimePoint now);
  const wire::RevisionKey* pod_warned(const WarningView& warning, TimePoint now);
  const wire::RevisionKey* image_pulled(const PulledView& pulled, TimePoint now);
  void replica_ready(const wire::RevisionKey& revision, const ReplicaRecord& replica,
                     TimePoint now);
  void replica_not_ready(const wire::RevisionKey& revision, const ReplicaRecord& replica,
                         std::string_view reason, TimePoint now);
  void woken(const wire::RevisionKey& revision, const wire::Woken& frame, TimePoint now);
  /// @return whether there are refusals that advance() has not told yet.
  bool refused(const wire::RevisionKey& revision, const SourceId& source,
               const RefusalCounts& counted, TimePoint now);
  /// What of it the source had told before it came here.
  void refused_before(const wire::RevisionKey& revision, const SourceId& source,
                      const RefusalCounts& told);
  void lost(const wire::RevisionKey& revision, const SourceId& source, TimePoint now);

  /// Writes what is due of a revision by the time. Call it once a second, and several times while
  /// there are refusals to tell. @return whether there are.
  bool advance(const wire::RevisionKey& revision, TimePoint now);

  /// Null for a revision that is not known.
  [[nodiscard]] const ColdStarts* cold_starts(const wire::RevisionKey& revision) const;
  /// What keeps its replicas from being ready, if it is not time alone; "" else. What its pods say
  /// comes first, as they got furthest; then that none can be made, that it is left alone, that the
  /// API does not take more replicas.
  [[nodiscard]] std::string cause(const wire::RevisionKey& revision) const;
  [[nodiscard]] PodCounts pods(const wire::RevisionKey& revision) const;

 private:
  struct Pod {
    PodView view;
    std::optional<TimePoint> runs_since;
    std::optional<WarningView> warning;  // the last one, until it gets further

    [[nodiscard]] bool warned() const noexcept;
    [[nodiscard]] std::string trouble() const;
  };
  struct Entry {
    std::string service;
    std::string deployment;
    ColdStarts cold_starts;
    Refusals refusals;
    std::map<std::string, Pod> pods;
    std::string refused;                          // why none is made
    std::string scaled_by;                        // who else does
    std::string not_taken;                        // how the API refuses to have more of them
    PatchResult last_patch = PatchResult::taken;  // what came of the newest
  };
  using Entries = std::map<wire::RevisionKey, Entry>;
  using Name = std::pair<std::string, std::string>;  // namespace, name

  [[nodiscard]] static const Pod* worst_of(const Entry& entry);
  [[nodiscard]] Entries::iterator owner_of(const PodView& pod);
  [[nodiscard]] Entries::iterator owner_by_deployment(const std::string& name_space,
                                                      std::string_view deployment);
  [[nodiscard]] Entries::iterator owner_by_pod(const Name& pod);
  void pod_of(Entries::iterator owner, const PodView& pod, TimePoint now);
  void warned_of(const wire::RevisionKey& revision, const Entry& entry, Pod& pod,
                 const WarningView& warning, TimePoint now);
  void tell_change(Entries::iterator owner, const Pod& before, const PodView& pod, TimePoint now);
  void finish_cold_start(Entries::iterator owner, TimePoint now);
  void write(const wire::RevisionKey& revision, const Entry& entry, std::string_view event,
             kube::Json fields, TimePoint now);

  DecisionFile* file_;
  Entries entries_;
  std::map<Name, wire::RevisionKey> by_deployment_;
  std::map<Name, wire::RevisionKey> by_pod_;
  std::map<Name, Pod> orphans_;
};

}  // namespace pilotlight::autoscaler
