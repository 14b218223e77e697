#include "activator/service_doors.h"

#include "config/managed_service.h"

namespace pilotlight::activator {

bool ServiceDoors::deployment_applied(const config::DeploymentView& view) {
  if (view.deleting) return deployment_removed(view.name_space, view.deployment_name);
  Deployment now;
  now.labels = view.template_labels;
  now.service = view.service;
  const auto [place, added] = deployments_.try_emplace(Key(view.name_space, view.deployment_name));
  Deployment& known = place->second;
  if (!added && known.labels == now.labels && known.service == now.service) return false;
  known = std::move(now);
  for (auto each = services_.lower_bound(Key(view.name_space, ""));
       each != services_.end() && each->first.first == view.name_space; ++each) {
    if (config::matches(each->second.selector, known.labels)) {
      each->second.deployments.insert(view.deployment_name);
    } else {
      each->second.deployments.erase(view.deployment_name);
    }
  }
  return true;
}

bool ServiceDoors::deployment_removed(const std::string& name_space, const std::string& name) {
  if (deployments_.erase(Key(name_space, name)) == 0) return false;
  for (auto each = services_.lower_bound(Key(name_space, ""));
       each != services_.end() && each->first.first == name_space; ++each) {
    each->second.deployments.erase(name);
  }
  return true;
}

bool ServiceDoors::service_applied(const kube::Json& service) {
  const std::uint16_t port = config::is_managed(service) ? config::port_of(service) : 0;
  if (port == 0) return service_removed(service);
  const Key key(kube::namespace_of(service), kube::name_of(service));
  Service now;
  now.port = port;
  now.selector = config::original_selector(service);
  Service& known = services_[key];
  if (known.port == now.port && known.selector == now.selector) return false;
  for (auto each = deployments_.lower_bound(Key(key.first, ""));
       each != deployments_.end() && each->first.first == key.first; ++each) {
    if (config::matches(now.selector, each->second.labels)) {
      now.deployments.insert(each->first.second);
    }
  }
  known = std::move(now);
  return true;
}

bool ServiceDoors::service_removed(const kube::Json& service) {
  return services_.erase(Key(kube::namespace_of(service), kube::name_of(service))) != 0;
}

bool ServiceDoors::leads_to(const std::string& name_space, const std::string& name) const {
  for (auto each = services_.lower_bound(Key(name_space, ""));
       each != services_.end() && each->first.first == name_space; ++each) {
    if (each->second.deployments.contains(name)) return true;
  }
  return false;
}

Doors ServiceDoors::doors() const {
  Doors out;
  std::set<std::uint16_t> claimed;
  for (const auto& [key, service] : services_) {
    const bool first = claimed.insert(service.port).second;
    if (!first || service.deployments.size() != 1) continue;
    const Deployment& deployment = deployments_.at(Key(key.first, *service.deployments.begin()));
    out.emplace(service.port, key.first + "/" + deployment.service);
  }
  return out;
}

}  // namespace pilotlight::activator
