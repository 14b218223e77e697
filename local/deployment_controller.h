#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "local/api/store.h"

namespace pilotlight::local {

/// What decides which of a Deployment's Pods goes first.
struct PodRank {
  std::string name;
  bool ready = false;
  std::uint64_t age_rank = 0;  ///< Grows with every Pod made: a higher one is younger.
  std::int32_t cost = 0;       ///< Its pod-deletion-cost.
};

/// The `count` Pods to end when a Deployment shrinks: those that are not ready before those that
/// are, then those of a lower cost, then younger before older. Pure.
[[nodiscard]] std::vector<std::string> choose_to_end(std::vector<PodRank> pods, std::size_t count);

/// Keeps as many Pods as a Deployment says, and its status true. Pods are made and deleted inside
/// the call that changed the Deployment. Pods that are terminating do not count. When a Deployment
/// is deleted its Pods are too. One shard, the store's.
class DeploymentController {
 public:
  explicit DeploymentController(ApiStore& store);

 private:
  void on_change(const Change& change);
  void reconcile(std::string_view space, std::string_view name);
  void add_pod(const Json& deployment);
  void report(const Json& deployment, const std::vector<PodRank>& pods);
  void end_all_pods(const Json& deployment);

  ApiStore& store_;
  std::map<std::string, std::uint64_t> ranks_;  // by Pod uid
  std::uint64_t next_rank_ = 1;
  ApiStore::Subscription subscription_;
};

}  // namespace pilotlight::local
