#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "common/kube/json.h"
#include "config/deployment_view.h"

namespace pilotlight::activator {

/// Ports on which an activator listens for one Service each, and the route behind each:
/// `<namespace>/<service>` of RouteTable.
using Doors = std::map<std::uint16_t, std::string>;

/// Which Services of the cluster come in through a door of their own, and whose pods they mean.
///
/// A managed Service has a door while its selector, the user's own, matches the pods of exactly one
/// of our Deployments, not counting those on their way out. Of two that claim one port the first by
/// namespace and name has it, as the controller decides. Pure. Costs: a change of a Service is
/// compared with every Deployment of its namespace, one of a Deployment's labels with every Service
/// of its own.
class ServiceDoors {
 public:
  /// Each returns whether doors() may have changed.
  bool deployment_applied(const config::DeploymentView& view);
  bool deployment_removed(const std::string& name_space, const std::string& name);
  bool service_applied(const kube::Json& service);
  bool service_removed(const kube::Json& service);

  [[nodiscard]] Doors doors() const;
  /// Whether a managed Service still selects the pods of that Deployment.
  [[nodiscard]] bool leads_to(const std::string& name_space, const std::string& name) const;

 private:
  using Key = std::pair<std::string, std::string>;  // namespace, name

  struct Deployment {
    kube::Json labels;  // of its pods
    std::string service;
  };
  struct Service {
    std::uint16_t port = 0;
    kube::Json selector;
    std::set<std::string> deployments;  // names of those it selects
  };

  std::map<Key, Deployment> deployments_;
  std::map<Key, Service> services_;
};

}  // namespace pilotlight::activator
