#pragma once

#include <cstdint>
#include <vector>

#include "common/kube/json.h"

namespace pilotlight::controller {

/// The ports of a Service, by where they lead in the pods of a Deployment.
struct ServicePorts {
  /// Those of the app, which the sidecar stands in front of. EndpointPort JSON without the port.
  std::vector<kube::Json> app;
  /// All others, with the port of the pod that they lead to.
  std::vector<kube::Json> direct;
};

/// Sorts them out: a targetPort is a number, or the name of a port of any container; without one it
/// is the port itself. Names that no container has lead nowhere, and are left out as Kubernetes
/// leaves them out.
[[nodiscard]] ServicePorts sort_ports(const kube::Json& service, const kube::Json& deployment);

}  // namespace pilotlight::controller
