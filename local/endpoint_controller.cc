#include "local/endpoint_controller.h"

#include <utility>

#include "common/base/log.h"
#include "config/deployment_view.h"
#include "config/revision.h"

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

/// The revision that a Pod or a Deployment belongs to.
std::string revision_of(const Json& object) {
  const std::string_view label = kube::label_of(object, config::kRevisionLabel);
  if (!label.empty()) return std::string(label);
  const Json& owners = kube::array(object, {"metadata", "ownerReferences"});
  return std::string(owners.empty() ? kube::name_of(object) : kube::text(owners[0], {"name"}));
}

Json endpoint(const Json& pod) {
  const bool terminating = kube::find(pod, {"metadata", "deletionTimestamp"}) != nullptr;
  const bool good = ready(pod);
  Json out;
  out["addresses"] = Json::array({std::string(kube::text(pod, {"status", "podIP"}))});
  out["conditions"] =
      Json{{"ready", good && !terminating}, {"serving", good}, {"terminating", terminating}};
  out["targetRef"] = Json{{"kind", "Pod"},
                          {"namespace", std::string(kube::namespace_of(pod))},
                          {"name", std::string(kube::name_of(pod))},
                          {"uid", std::string(kube::text(pod, {"metadata", "uid"}))}};
  return out;
}

}  // namespace

EndpointController::EndpointController(ApiStore& store, std::uint16_t serving_port)
    : store_(store), serving_port_(serving_port) {
  subscription_ = store_.subscribe([this](const Change& change) { on_change(change); });
}

void EndpointController::on_change(const Change& change) {
  const Json& object = *change.object;
  const bool deployment = change.resource == kube::kDeployments;
  if (!deployment && change.resource != kube::kPods) return;
  const std::string revision = revision_of(object);
  if (deployment && change.type == Change::Type::deleted) {
    store_.remove_now(kube::kEndpointSlices, kube::namespace_of(object), revision + "-private");
    return;
  }
  // Of a Deployment only its coming matters; everything else shows in its Pods.
  if (deployment && change.type != Change::Type::added) return;
  if (!config::is_injected(object)) return;
  reconcile(kube::namespace_of(object), revision);
}

void EndpointController::reconcile(std::string_view space, std::string_view revision) {
  Json endpoints = Json::array();
  for (const Object& pod : store_.list(kube::kPods, space)) {
    if (revision_of(*pod) != revision) continue;
    if (!kube::text(*pod, {"status", "podIP"}).empty()) endpoints.push_back(endpoint(*pod));
  }
  const std::string name = std::string(revision) + "-private";
  Json slice;
  slice["apiVersion"] = "discovery.k8s.io/v1";
  slice["kind"] = "EndpointSlice";
  slice["metadata"]["name"] = name;
  slice["metadata"]["namespace"] = std::string(space);
  slice["metadata"]["labels"] =
      Json{{"kubernetes.io/service-name", name}, {config::kRevisionLabel, std::string(revision)}};
  slice["addressType"] = "IPv4";
  slice["ports"] =
      Json::array({Json{{"name", "http"}, {"port", serving_port_}, {"protocol", "TCP"}}});
  slice["endpoints"] = std::move(endpoints);
  const bool known = store_.find(kube::kEndpointSlices, space, name) != nullptr;
  const Stored stored = known ? store_.update(kube::kEndpointSlices, std::move(slice))
                              : store_.create(kube::kEndpointSlices, std::move(slice));
  if (!stored) log_error("slice refused", {{"name", name}, {"reason", stored.error().message}});
}

}  // namespace pilotlight::local
