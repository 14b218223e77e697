#include "autoscaler/pod_view.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "common/wire/utf8.h"
#include "config/revision.h"

namespace pilotlight::autoscaler {
namespace {

using kube::Json;

constexpr std::string_view kSidecar = "queue-proxy";
constexpr std::string_view kRoutingState = "serving.knative.dev/routingState";
constexpr std::size_t kWarningMax = 500;

/// Warnings of what keeps a Pod from starting and may be in no condition of it. Others (name
/// servers that are too many, a pull secret that is not needed) are about Pods that start.
constexpr std::array<std::string_view, 10> kHindrances = {
    "FailedMount",     "FailedAttachVolume",     "FailedMapVolume", "FailedCreatePodSandBox",
    "NetworkNotReady", "NodeNotReady",           "Failed",          "FailedPostStartHook",
    "InspectFailed",   "FailedToCreateContainer"};

const Json* condition_of(const Json& object, std::string_view type) {
  for (const Json& condition : kube::array(object, {"status", "conditions"})) {
    if (kube::text(condition, {"type"}) == type) return &condition;
  }
  return nullptr;
}

/// A condition's status is "True".
bool holds(const Json& object, std::string_view type) {
  const Json* condition = condition_of(object, type);
  return condition != nullptr && kube::text(*condition, {"status"}) == "True";
}

bool app_runs(const Json& pod) {
  for (const Json& status : kube::array(pod, {"status", "containerStatuses"})) {
    if (kube::text(status, {"name"}) == kSidecar) continue;
    if (kube::find(status, {"state", "running"}) == nullptr) return false;
  }
  return !kube::array(pod, {"status", "containerStatuses"}).empty();
}

/// Init containers that run to their end; a sidecar that is one (restartPolicy: Always) is none.
bool has_init(const Json& pod) {
  for (const Json& container : kube::array(pod, {"spec", "initContainers"})) {
    if (kube::text(container, {"restartPolicy"}) != "Always") return true;
  }
  return false;
}

std::optional<Phase> reached(const Json& pod) {
  if (app_runs(pod)) return Phase::start;
  if (has_init(pod) && holds(pod, "Initialized")) return Phase::init;
  if (holds(pod, "PodScheduled")) return Phase::scheduled;
  return std::nullopt;
}

std::optional<ContainerEnd> end_of(const Json& status, bool init) {
  for (const char* where : {"state", "lastState"}) {
    const Json* terminated = kube::find(status, {where, "terminated"});
    if (terminated == nullptr) continue;
    // An app that ends without being asked to has failed, whatever it says; an init container has
    // done its work.
    if (init && kube::integer(*terminated, {"exitCode"}).value_or(0) == 0) continue;
    ContainerEnd end;
    end.container = kube::text(status, {"name"});
    end.exit_code = kube::integer(*terminated, {"exitCode"}).value_or(0);
    end.reason = kube::text(*terminated, {"reason"});
    end.last_words = kube::text(*terminated, {"message"});
    return end;
  }
  return std::nullopt;
}

/// Why a container is not there yet, if it is not for lack of time.
std::string blocked_container(const Json& status) {
  const std::string reason(kube::text(status, {"state", "waiting", "reason"}));
  if (reason.empty() || reason == "ContainerCreating" || reason == "PodInitializing" ||
      reason == "CrashLoopBackOff") {
    return {};
  }
  const std::string_view message = kube::text(status, {"state", "waiting", "message"});
  return message.empty() ? reason : reason + ": " + std::string(message);
}

bool backs_off(const Json& status) {
  return kube::text(status, {"state", "waiting", "reason"}) == "CrashLoopBackOff";
}

std::string blocked(const Json& pod) {
  for (const char* which : {"initContainerStatuses", "containerStatuses"}) {
    for (const Json& status : kube::array(pod, {"status", which})) {
      std::string why = blocked_container(status);
      if (!why.empty()) return why;
    }
  }
  const Json* scheduled = condition_of(pod, "PodScheduled");
  if (scheduled != nullptr && kube::text(*scheduled, {"status"}) == "False") {
    return std::string(kube::text(*scheduled, {"reason"})) + ": " +
           std::string(kube::text(*scheduled, {"message"}));
  }
  // The runtime of `up` and kubelet's admission say it of the whole Pod.
  const std::string_view reason = kube::text(pod, {"status", "reason"});
  if (reason.empty()) return {};
  return std::string(reason) + ": " + std::string(kube::text(pod, {"status", "message"}));
}

}  // namespace

PodView view_pod(const Json& pod) {
  PodView view;
  view.name_space = kube::namespace_of(pod);
  view.name = kube::name_of(pod);
  view.revision = kube::label_of(pod, config::kRevisionLabel);
  const Json& owners = kube::array(pod, {"metadata", "ownerReferences"});
  if (!owners.empty()) view.owner = kube::text(owners[0], {"name"});
  view.deleting = kube::find(pod, {"metadata", "deletionTimestamp"}) != nullptr;
  view.ready = holds(pod, "Ready");
  for (const bool init : {true, false}) {
    const char* which = init ? "initContainerStatuses" : "containerStatuses";
    for (const Json& status : kube::array(pod, {"status", which})) {
      view.restarts = std::max(view.restarts, kube::integer(status, {"restartCount"}).value_or(0));
      if (!view.end) view.end = end_of(status, init);
      view.backing_off = view.backing_off || backs_off(status);
    }
  }
  view.deletion_cost = kube::deletion_cost_of(pod);
  view.reached = reached(pod);
  view.blocked = blocked(pod);
  return view;
}

bool is_reachable(const Json& deployment) {
  if (kube::label_of(deployment, kRoutingState) == "reserve") return false;
  const std::int64_t replicas = kube::integer(deployment, {"spec", "replicas"}).value_or(1);
  const std::int64_t ready = kube::integer(deployment, {"status", "readyReplicas"}).value_or(0);
  const Json* progressing = condition_of(deployment, "Progressing");
  const bool failed = progressing != nullptr && kube::text(*progressing, {"status"}) == "False";
  return !(failed && replicas > 0 && ready == 0);
}

std::string creation_refused(const Json& deployment) {
  const Json* failure = condition_of(deployment, "ReplicaFailure");
  if (failure == nullptr || kube::text(*failure, {"status"}) != "True") return {};
  return std::string(kube::text(*failure, {"reason"})) + ": " +
         std::string(kube::text(*failure, {"message"}));
}

std::optional<PulledView> view_pulled(const Json& event) {
  if (kube::text(event, {"reason"}) != "Pulled") return std::nullopt;
  if (kube::text(event, {"involvedObject", "kind"}) != "Pod") return std::nullopt;
  const std::string_view field = kube::text(event, {"involvedObject", "fieldPath"});
  if (field.find("{queue-proxy}") != std::string_view::npos) return std::nullopt;
  if (field.starts_with("spec.initContainers")) return std::nullopt;  // our sidecar is one
  // Kubelet says Pulled of an image that it had, too: then nothing was waited for.
  if (kube::text(event, {"message"}).find("already present") != std::string_view::npos) {
    return std::nullopt;
  }
  PulledView view;
  view.name_space = kube::text(event, {"involvedObject", "namespace"});
  view.pod = kube::text(event, {"involvedObject", "name"});
  return view;
}

std::optional<WarningView> view_warning(const Json& event) {
  if (kube::text(event, {"type"}) != "Warning") return std::nullopt;
  if (kube::text(event, {"involvedObject", "kind"}) != "Pod") return std::nullopt;
  WarningView view;
  view.name_space = kube::text(event, {"involvedObject", "namespace"});
  view.pod = kube::text(event, {"involvedObject", "name"});
  view.reason = kube::text(event, {"reason"});
  if (std::find(kHindrances.begin(), kHindrances.end(), view.reason) == kHindrances.end()) {
    return std::nullopt;
  }
  const std::string text = view.reason + ": " + std::string(kube::text(event, {"message"}));
  view.text = wire::one_line(text, kWarningMax);
  constexpr std::size_t kToTheSecond = 19;  // what finer and coarser times have in common
  std::string_view at = kube::text(event, {"series", "lastObservedTime"});
  if (at.empty()) at = kube::text(event, {"lastTimestamp"});
  if (at.empty()) at = kube::text(event, {"eventTime"});
  view.at = at.substr(0, kToTheSecond);
  return view;
}

}  // namespace pilotlight::autoscaler
