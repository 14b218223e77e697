#pragma once

#include <map>
#include <random>
#include <set>
#include <string>

#include "common/async/deadline_queue.h"
#include "common/async/event.h"
#include "common/kube/watcher.h"
#include "controller/cluster_state.h"
#include "controller/door_check.h"
#include "controller/metrics.h"
#include "controller/retry_times.h"

namespace pilotlight::controller {

/// Makes the cluster what plan_service() and plan_private_service() say, one object after another.
///
/// Learns by watching, writes with optimistic concurrency, and plans anew from what is there after
/// every refusal; does nothing before it has seen everything once, or while another replica leads.
/// An activator counts for a Service only once it accepts connections on the Service's port. One
/// shard.
class Reconciler {
 public:
  struct Parts {
    kube::Client& client;
    Executor executor;
    Clock& clock;
    DeadlineQueue& deadlines;
    std::mt19937_64& random;
  };

  /// `activator`: the Service of the activators.
  Reconciler(Parts parts, Key activator);

  /// Works until stop(). Spawn it, and the watches, once.
  [[nodiscard]] Task<> run();
  [[nodiscard]] Task<> watch_services() { return services_.watch.run(); }
  [[nodiscard]] Task<> watch_deployments() { return deployments_.watch.run(); }
  [[nodiscard]] Task<> watch_slices() { return slices_.watch.run(); }
  void stop() noexcept;

  /// Whether it is this replica that writes; not at first.
  void lead(bool leading);

  /// Whether everything has been seen once.
  [[nodiscard]] bool synced() const noexcept;
  /// Whether nothing waits to be done.
  [[nodiscard]] bool at_rest() const noexcept { return due() == 0; }
  [[nodiscard]] const ClusterState& state() const noexcept { return state_; }
  /// Objects that wait to be looked at.
  [[nodiscard]] std::size_t due() const noexcept { return services_due_.size() + due_.size(); }
  [[nodiscard]] const Counts& writes() const noexcept { return writes_; }
  /// Services in front of our pods that are not taken over, and why; none while another one leads.
  [[nodiscard]] const std::map<Key, std::string>& left_alone() const noexcept {
    return left_alone_;
  }

 private:
  struct Feed final : kube::Watcher::Listener {
    Feed(Reconciler& owner, kube::Watcher::What what);
    void applied(const Json& object) override;
    void removed(const Json& object) override;
    void synced() override;
    Reconciler& reconciler;
    kube::Resource resource;
    kube::Watcher watch;
  };

  void touch(const ClusterState::Touched& touched);
  [[nodiscard]] Task<Result<>> keep_private(Key deployment);
  [[nodiscard]] Task<Result<>> keep_service(Key service);
  [[nodiscard]] Task<Result<>> carry_out(Step step);
  [[nodiscard]] Task<Result<>> dial_activator(tcp::endpoint where, TimePoint deadline);
  void note(const Result<>& kept, const Key& key, RetryTimes& again);
  void note_left_alone(const Key& service, const std::string& reason);
  [[nodiscard]] Task<> rest();

  Parts parts_;
  ClusterState state_;
  Event changed_;
  std::set<Key> services_due_;
  std::set<Key> due_;  // Deployments
  Counts writes_;
  RetryTimes services_again_;
  RetryTimes deployments_again_;
  std::map<Key, std::string> left_alone_;
  DoorCheck doors_;
  Feed services_;
  Feed deployments_;
  Feed slices_;
  bool leading_ = false;
  bool stopped_ = false;
};

}  // namespace pilotlight::controller
