#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "activator/cluster_view.h"
#include "activator/homes.h"
#include "activator/service_doors.h"
#include "common/control/event_log.h"
#include "common/kube/watcher.h"
#include "common/stats/load_history.h"
#include "common/wire/client.h"
#include "config/deployment_view.h"

namespace pilotlight::activator {

/// Told on the control shard.
class ControlListener {
 public:
  virtual ~ControlListener() = default;
  /// Every Deployment that exists is routed. After each list; the first one matters.
  virtual void routed() = 0;
  /// Services come in through these ports from here on. Not before Deployments and Services have
  /// been told once.
  virtual void doors_changed(const Doors& doors) = 0;
};

/// What the activator knows of the cluster, and says to the autoscaler.
///
/// Deployments become routes; ENDPOINTS and EndpointSlices become the replicas of revisions, Pods
/// the cause that a 504 names. POKE, DRAINED and STATS go the other way; so do HISTORY and what an
/// earlier autoscaler gave to keep, when there is a new one. The picture stays as it is while the
/// API server or the autoscaler is away. Lives on the control shard.
class Control final : public wire::ClientListener, public RevisionListener {
 public:
  struct Parts {
    Executor executor;
    Clock& clock;
    control::EventLog& events;
    ControlListener& listener;
    std::uint64_t epoch;  ///< Of this process start.
  };
  explicit Control(const Parts& parts);
  ~Control() override;

  /// Before anything else. Both outlive the control.
  void use(Homes& homes, wire::Client& autoscaler);

  [[nodiscard]] kube::Watcher::Listener& deployments() noexcept;
  [[nodiscard]] kube::Watcher::Listener& slices() noexcept;
  [[nodiscard]] kube::Watcher::Listener& pods() noexcept;
  [[nodiscard]] kube::Watcher::Listener& services() noexcept;

  /// Reports STATS every period until stop().
  [[nodiscard]] Task<> run();
  void stop() noexcept;

  /// Requests per second over the last report period.
  [[nodiscard]] double rate(const RevisionInfo& revision) const;

  void connected(const wire::Welcome& welcome) override;
  void disconnected(std::string_view reason) override;
  void received(const wire::Frame& frame) override;

  void poke(const RevisionInfo& revision, std::uint32_t parked, Duration oldest_wait) override;
  void drained(const RevisionInfo& revision, const ReplicaSet::Drained& replica) override;
  void parked(const RevisionInfo& revision, TimePoint parked_at) override;
  void served(const RevisionInfo& revision, const WakeStory& story,
              TimePoint first_byte_at) override;
  void unserved(const RevisionInfo& revision, TimePoint parked_at, RefusalCause cause) override;

 private:
  class Deployments;
  class Slices;
  class Pods;
  class Services;

  struct Known {
    RevisionPtr info;  // null while only others speak of it
    std::string deployment;
    std::optional<wire::Endpoints> endpoints;
    std::map<std::string, std::vector<SliceReplica>> slices;  // by slice
    std::string failure;                                      // of a Pod
    std::string failed;                                       // that one, until it is gone
    std::string unready;                                      // likewise, while it may need time
    std::string refusal;                                      // of the Pods that there should be
    bool leaving = false;  // its Deployment has lost our label: what is told of it counts no more
    std::uint64_t arrivals = 0;
    TimePoint counted_at{};
    double rate = 0;
    LoadHistory history;                         // of what was reported
    RefusalCounts told_refusals{};               // on a connection: a successor counts on from them
    std::optional<wire::Checkpoint> checkpoint;  // what the autoscaler gave us to keep
    TimePoint checkpoint_at{};
  };
  using Key = wire::RevisionKey;

  void deployment_applied(const kube::Json& object);
  void deployment_removed(const kube::Json& object);
  void deployment_leaves(const std::string& name);
  void deployment_stays(const std::string& name);
  void deployment_gone(const std::string& name);
  void end_leaving();
  void route(const config::DeploymentView& view);
  void apply_replicas(Known& known);
  void apply_slices(Known& known);
  void refused(const Key& key, std::string why);
  [[nodiscard]] static std::string_view cause_of(const Known& known) noexcept;
  void tell_failure(const Known& known);
  void forget(const Key& key);
  void slice_changed(const kube::Json& object, bool exists);
  void pod_changed(const kube::Json& object);
  void pod_removed(const kube::Json& object);
  void publish();
  void tell_doors(bool changed);
  void endpoints_came(const wire::Endpoints& endpoints);
  void drain_came(const wire::Drain& drain);
  void checkpoint_came(const wire::Checkpoint& checkpoint);
  void send_drained(wire::Drained frame);
  void report(const std::vector<RevisionReport>& reports);
  void replay(const std::vector<wire::Stats>& reported);
  [[nodiscard]] Known* find_pod_owner(const PodView& pod);

  Parts parts_;
  Homes* homes_ = nullptr;
  wire::Client* autoscaler_ = nullptr;
  std::unique_ptr<Deployments> deployments_;
  std::unique_ptr<Slices> slices_;
  std::unique_ptr<Pods> pods_;
  std::unique_ptr<Services> services_;
  std::unique_ptr<Timer> pause_;
  std::map<Key, Known> known_;
  std::map<std::string, Key> by_deployment_;  // "namespace/name"
  std::map<std::string, TimePoint> leaving_;  // likewise; until when they are routed
  std::deque<wire::Drained> unsaid_;          // while the autoscaler is away
  std::uint32_t next_id_ = 1;
  Duration period_ = std::chrono::seconds(1);
  bool publish_due_ = false;
  ServiceDoors doors_;
  bool listed_ = false;           // a first list of Deployments has been told
  bool services_listed_ = false;  // likewise
  bool stopped_ = false;
};

}  // namespace pilotlight::activator
