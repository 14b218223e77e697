#include "local/deployment_controller.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "common/base/log.h"

namespace pilotlight::local {
namespace {

bool ready(const Json& pod) {
  for (const Json& condition : kube::array(pod, {"status", "conditions"})) {
    if (kube::text(condition, {"type"}) == "Ready") {
      return kube::text(condition, {"status"}) == "True";
    }
  }
  return false;
}

bool deleting(const Json& object) {
  return kube::find(object, {"metadata", "deletionTimestamp"}) != nullptr;
}

std::string_view owner_name(const Json& pod) {
  const Json& owners = kube::array(pod, {"metadata", "ownerReferences"});
  return owners.empty() ? std::string_view() : kube::text(owners[0], {"name"});
}

std::string_view owner_uid(const Json& pod) {
  const Json& owners = kube::array(pod, {"metadata", "ownerReferences"});
  return owners.empty() ? std::string_view() : kube::text(owners[0], {"uid"});
}

}  // namespace

std::vector<std::string> choose_to_end(std::vector<PodRank> pods, std::size_t count) {
  std::sort(pods.begin(), pods.end(), [](const PodRank& left, const PodRank& right) {
    return std::tuple(left.ready, left.cost, ~left.age_rank) <
           std::tuple(right.ready, right.cost, ~right.age_rank);
  });
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(count, pods.size()); ++i) names.push_back(pods[i].name);
  return names;
}

DeploymentController::DeploymentController(ApiStore& store) : store_(store) {
  subscription_ = store_.subscribe([this](const Change& change) { on_change(change); });
}

void DeploymentController::on_change(const Change& change) {
  const Json& object = *change.object;
  if (change.resource == kube::kDeployments) {
    if (change.type == Change::Type::deleted) return end_all_pods(object);
    return reconcile(kube::namespace_of(object), kube::name_of(object));
  }
  if (change.resource != kube::kPods) return;
  const std::string uid(kube::text(object, {"metadata", "uid"}));
  if (change.type == Change::Type::added) ranks_[uid] = next_rank_++;
  if (change.type == Change::Type::deleted) ranks_.erase(uid);
  reconcile(kube::namespace_of(object), owner_name(object));
}

void DeploymentController::reconcile(std::string_view space, std::string_view name) {
  const Object deployment = store_.find(kube::kDeployments, space, name);
  if (!deployment) return;
  const std::string_view uid = kube::text(*deployment, {"metadata", "uid"});
  std::vector<PodRank> pods;
  for (const Object& pod : store_.list(kube::kPods, space)) {
    if (owner_uid(*pod) != uid || deleting(*pod)) continue;
    const auto rank = ranks_.find(std::string(kube::text(*pod, {"metadata", "uid"})));
    // One whose change has not been told yet is the youngest.
    const std::uint64_t age = rank == ranks_.end() ? next_rank_ : rank->second;
    pods.push_back(
        {std::string(kube::name_of(*pod)), ready(*pod), age, kube::deletion_cost_of(*pod)});
  }
  const auto wanted = static_cast<std::size_t>(
      std::max<std::int64_t>(0, kube::integer(*deployment, {"spec", "replicas"}).value_or(1)));
  for (std::size_t have = pods.size(); have < wanted; ++have) add_pod(*deployment);
  if (pods.size() > wanted) {
    for (const std::string& victim : choose_to_end(pods, pods.size() - wanted)) {
      store_.remove(kube::kPods, space, victim, ApiStore::Removal());
    }
  }
  report(*deployment, pods);
}

void DeploymentController::add_pod(const Json& deployment) {
  const Json* pod_template = kube::find(deployment, {"spec", "template"});
  if (pod_template == nullptr) return;
  Json pod = *pod_template;
  const std::string name(kube::name_of(deployment));
  pod["metadata"]["generateName"] = name + "-";
  pod["metadata"]["namespace"] = std::string(kube::namespace_of(deployment));
  Json owner{{"apiVersion", "apps/v1"},
             {"kind", "Deployment"},
             {"name", name},
             {"uid", std::string(kube::text(deployment, {"metadata", "uid"}))},
             {"controller", true},
             {"blockOwnerDeletion", true}};
  pod["metadata"]["ownerReferences"] = Json::array();
  pod["metadata"]["ownerReferences"].push_back(std::move(owner));
  pod["status"] = Json{{"phase", "Pending"}};
  const Stored made = store_.create(kube::kPods, std::move(pod));
  if (!made) log_error("pod refused", {{"deployment", name}, {"reason", made.error().message}});
}

void DeploymentController::report(const Json& deployment, const std::vector<PodRank>& pods) {
  const auto good =
      std::count_if(pods.begin(), pods.end(), [](const PodRank& pod) { return pod.ready; });
  const auto all = static_cast<std::ptrdiff_t>(pods.size());
  Json status{
      {"observedGeneration", kube::integer(deployment, {"metadata", "generation"}).value_or(1)},
      {"replicas", all},
      {"updatedReplicas", all},
      {"readyReplicas", good},
      {"availableReplicas", good},
      {"unavailableReplicas", all - good}};
  store_.set_status(kube::kDeployments, kube::namespace_of(deployment), kube::name_of(deployment),
                    std::move(status));
}

void DeploymentController::end_all_pods(const Json& deployment) {
  const std::string_view uid = kube::text(deployment, {"metadata", "uid"});
  for (const Object& pod : store_.list(kube::kPods, kube::namespace_of(deployment))) {
    if (owner_uid(*pod) != uid || deleting(*pod)) continue;
    store_.remove(kube::kPods, kube::namespace_of(*pod), kube::name_of(*pod), ApiStore::Removal());
  }
}

}  // namespace pilotlight::local
