#include "controller/service_ports.h"

#include <optional>
#include <string>

#include "config/container.h"
#include "config/inject_checks.h"

namespace pilotlight::controller {
namespace {

using kube::Json;

std::optional<std::int64_t> named_port(const Json& pod_spec, std::string_view name) {
  for (const char* list : {"containers", "initContainers"}) {
    for (const Json& container : kube::array(pod_spec, {list})) {
      for (const Json& port : kube::array(container, {"ports"})) {
        if (kube::text(port, {"name"}) == name) return kube::integer(port, {"containerPort"});
      }
    }
  }
  return std::nullopt;
}

std::optional<std::int64_t> target_of(const Json& port, const Json& pod_spec) {
  const Json* target = kube::find(port, {"targetPort"});
  if (target != nullptr && target->is_string()) {
    return named_port(pod_spec, target->get_ref<const std::string&>());
  }
  const auto number = kube::integer(port, {"targetPort"});
  return number && *number != 0 ? number : kube::integer(port, {"port"});
}

Json endpoint_port(const Json& port) {
  Json out = Json::object();
  out["name"] = std::string(kube::text(port, {"name"}));
  const std::string_view protocol = kube::text(port, {"protocol"});
  out["protocol"] = protocol.empty() ? "TCP" : std::string(protocol);
  const std::string_view application = kube::text(port, {"appProtocol"});
  if (!application.empty()) out["appProtocol"] = std::string(application);
  return out;
}

}  // namespace

ServicePorts sort_ports(const Json& service, const Json& deployment) {
  ServicePorts out;
  const Json* pod_spec = kube::find(deployment, {"spec", "template", "spec"});
  if (pod_spec == nullptr) return out;
  const auto read = config::read_pod_spec(*pod_spec);
  if (!read) return out;
  const std::int64_t app = read->container.declared_port();
  for (const Json& port : kube::array(service, {"spec", "ports"})) {
    const auto target = target_of(port, *pod_spec);
    if (!target) continue;
    Json made = endpoint_port(port);
    // Somebody may have pointed a Service at the sidecar already.
    if (made["protocol"] == "TCP" && (*target == app || *target == config::kServingPort)) {
      out.app.push_back(std::move(made));
      continue;
    }
    made["port"] = *target;
    out.direct.push_back(std::move(made));
  }
  return out;
}

}  // namespace pilotlight::controller
