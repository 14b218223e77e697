#include "autoscaler/pod_costs.h"

#include <algorithm>
#include <tuple>

namespace pilotlight::autoscaler {

void PodCosts::seen(const PodView& pod) {
  if (pod.deletion_cost == 0) return gone(pod);
  shown_[{pod.name_space, pod.name}] = pod.deletion_cost;
}

std::int32_t PodCosts::shown(const std::string& name_space, const std::string& pod) const {
  const auto found = shown_.find({name_space, pod});
  return found == shown_.end() ? 0 : found->second;
}

std::vector<PodCost> PodCosts::changes(const std::string& name_space,
                                       std::vector<ReplicaLoad> ready, std::int32_t to) const {
  std::vector<PodCost> out;
  if (to <= 0 || std::ssize(ready) <= to) return out;  // all go, or only some that are not ready
  const auto cost = [&](const ReplicaLoad& one) { return shown(name_space, one.pod); };
  // Of those with as little to do the one that is marked already, so that nothing is to be written.
  std::sort(ready.begin(), ready.end(), [&cost](const ReplicaLoad& a, const ReplicaLoad& b) {
    return std::tuple(a.load, cost(a), a.pod) < std::tuple(b.load, cost(b), b.pod);
  });
  const auto going = static_cast<std::size_t>(std::ssize(ready) - to);
  for (std::size_t i = 0; i < ready.size() && out.size() < kMostAtOnce; ++i) {
    const std::int32_t now = cost(ready[i]);
    const std::int32_t wanted = i < going ? kGoesFirst : 0;
    if (now == wanted || (now != 0 && now != kGoesFirst)) continue;
    PodCost& change = out.emplace_back();
    change.pod = ready[i].pod;
    change.cost = wanted;
  }
  return out;
}

}  // namespace pilotlight::autoscaler
