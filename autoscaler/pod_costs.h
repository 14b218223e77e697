#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "autoscaler/change.h"
#include "autoscaler/pod_view.h"

namespace pilotlight::autoscaler {

/// A ready replica and what it has to do.
struct ReplicaLoad {
  std::string pod;
  std::uint32_t load = 0;  ///< Requests that run or wait there.
};

/// Which pods are to go first when there are fewer, as `controller.kubernetes.io/pod-deletion-cost`
/// tells the ReplicaSet's controller: those with the least to do get kGoesFirst, and as many of
/// them as go. Nothing is written about the others, which cost 0, unless they were to go first
/// before. A cost that somebody else has set stays. Pods that are not ready go before all of them,
/// whatever they cost. Pure; keeps one number for each pod that has a cost.
class PodCosts {
 public:
  static constexpr std::int32_t kGoesFirst = -1000;
  static constexpr std::size_t kMostAtOnce = 32;  ///< Of changes for one scale-down.

  void seen(const PodView& pod);
  void gone(const PodView& pod) { shown_.erase({pod.name_space, pod.name}); }

  /// What has to be changed before `ready` becomes `to`, the ones to go first.
  [[nodiscard]] std::vector<PodCost> changes(const std::string& name_space,
                                             std::vector<ReplicaLoad> ready, std::int32_t to) const;

 private:
  [[nodiscard]] std::int32_t shown(const std::string& name_space, const std::string& pod) const;

  std::map<std::pair<std::string, std::string>, std::int32_t> shown_;  // namespace, name
};

}  // namespace pilotlight::autoscaler
