#include "cli/cluster_view.h"

#include <algorithm>

#include <fmt/format.h>

#include "config/deployment_view.h"
#include "config/revision.h"
#include "local/status.h"

namespace pilotlight::cli {
namespace {

using kube::Json;

/// What the pages say of a revision: each that knows it.
std::vector<const Json*> entries_of(const std::vector<Json>& pages,
                                    const config::DeploymentView& view) {
  std::vector<const Json*> found;
  for (const Json& page : pages) {
    for (const Json& entry : kube::array(page, {"revisions"})) {
      if (kube::text(entry, {"namespace"}) == view.name_space &&
          kube::text(entry, {"revision"}) == view.revision) {
        found.push_back(&entry);
      }
    }
  }
  return found;
}

/// The sum of a number over the pages; null when no page told it.
Json sum_of(const std::vector<const Json*>& entries, std::string_view name) {
  Json sum;
  for (const Json* entry : entries) {
    const Json* value = kube::find(*entry, {name});
    if (value == nullptr || !value->is_number()) continue;
    const Json before = sum.is_null() ? Json(0) : sum;
    sum = value->is_number_float() || before.is_number_float()
              ? Json(before.get<double>() + value->get<double>())
              : Json(before.get<std::int64_t>() + value->get<std::int64_t>());
  }
  return sum;
}

/// Those of the autoscaler that decides: its followers have taken none.
Json decisions_of(const std::vector<const Json*>& entries) {
  for (const Json* entry : entries) {
    const Json& decisions = kube::array(*entry, {"decisions"});
    if (!decisions.empty()) return decisions;
  }
  return Json::array();
}

/// The text that the first of them has; null when none has one.
Json text_of(const std::vector<const Json*>& entries, std::string_view name) {
  for (const Json* entry : entries) {
    const std::string_view text = kube::text(*entry, {name});
    if (!text.empty()) return std::string(text);
  }
  return {};
}

bool is_ready(const Json& pod) {
  for (const Json& condition : kube::array(pod, {"status", "conditions"})) {
    if (kube::text(condition, {"type"}) == "Ready") {
      return kube::text(condition, {"status"}) == "True";
    }
  }
  return false;
}

/// "app: exit code 3 (Error)", or why it does not start; "" when nothing is wrong.
std::string trouble_of(const Json& pod) {
  for (const Json& condition : kube::array(pod, {"status", "conditions"})) {
    if (kube::text(condition, {"type"}) == "PodScheduled" &&
        kube::text(condition, {"status"}) == "False") {
      return fmt::format("{}: {}", kube::text(condition, {"reason"}),
                         kube::text(condition, {"message"}));
    }
  }
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const Json& status : kube::array(pod, {"status", list})) {
      const std::string_view name = kube::text(status, {"name"});
      for (const char* where : {"state", "lastState"}) {
        const auto code = kube::integer(status, {where, "terminated", "exitCode"}).value_or(0);
        if (code == 0) continue;
        return fmt::format("{}: exit code {} ({})", name, code,
                           kube::text(status, {where, "terminated", "reason"}));
      }
      const std::string_view reason = kube::text(status, {"state", "waiting", "reason"});
      if (reason.empty() || reason == "ContainerCreating" || reason == "PodInitializing") continue;
      return fmt::format("{}: {}", name, reason);
    }
  }
  return {};
}

std::int64_t restarts_of(const Json& pod) {
  std::int64_t most = 0;
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const Json& status : kube::array(pod, {"status", list})) {
      most = std::max(most, kube::integer(status, {"restartCount"}).value_or(0));
    }
  }
  return most;
}

const char* state_of(const Json& pod) {
  if (!kube::text(pod, {"metadata", "deletionTimestamp"}).empty()) return "draining";
  if (is_ready(pod)) return "ready";
  return kube::text(pod, {"status", "phase"}) == "Running" ? "starting" : "pending";
}

Json replica_of(const Json& pod) {
  const std::string trouble = trouble_of(pod);
  return Json{{"name", std::string(kube::name_of(pod))},
              {"address", std::string(kube::text(pod, {"status", "podIP"}))},
              {"state", state_of(pod)},
              {"restarts", restarts_of(pod)},
              {"last_exit", trouble.empty() ? Json() : Json(trouble)}};
}

Json service_of(const config::DeploymentView& view, const ClusterObjects& objects) {
  const auto routed = entries_of(objects.activators, view);
  const auto scaled = entries_of(objects.autoscalers, view);
  Json replicas = Json::array();
  bool failing = false;
  for (const Json& pod : objects.pods) {
    if (kube::namespace_of(pod) != view.name_space ||
        kube::label_of(pod, config::kRevisionLabel) != view.revision) {
      continue;
    }
    replicas.push_back(replica_of(pod));
    failing = failing || (!is_ready(pod) && !trouble_of(pod).empty());
  }
  const Json parked = sum_of(routed, "parked");
  const std::int64_t waiting = parked.is_number_integer() ? parked.get<std::int64_t>() : 0;
  return Json{{"namespace", view.name_space},
              {"name", view.service},
              {"revision", view.revision},
              {"urls", Json::array()},
              {"state", local::state_name(view.replicas, view.ready_replicas, waiting,
                                          replicas.size(), failing)},
              {"desired", view.replicas},
              {"ready", view.ready_replicas},
              {"parked", parked},
              {"in_flight", sum_of(routed, "in_flight")},
              {"requests_per_second", sum_of(routed, "requests_per_second")},
              {"wakes", sum_of(scaled, "wakes")},
              {"left_alone_to", text_of(scaled, "left_alone_to")},
              {"cause", text_of(scaled, "cause")},
              {"replicas", std::move(replicas)},
              {"decisions", decisions_of(scaled)}};
}

}  // namespace

Json compose_cluster_status(const ClusterObjects& objects) {
  Json services = Json::array();
  for (const Json& deployment : objects.deployments) {
    const auto view = config::view_deployment(deployment);
    if (view) services.push_back(service_of(*view, objects));
  }
  Json status;
  status["services"] = std::move(services);
  return status;
}

}  // namespace pilotlight::cli
