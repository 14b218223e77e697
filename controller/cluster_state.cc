#include "controller/cluster_state.h"

#include "config/deployment_view.h"
#include "config/inject.h"
#include "controller/admission.h"

namespace pilotlight::controller {
namespace {

constexpr std::string_view kPrivate = "-private";

/// The Service that a slice is of.
Key service_of(const Json& slice) {
  return Key(kube::namespace_of(slice), kube::label_of(slice, "kubernetes.io/service-name"));
}

bool is_going(const Json& object) {
  return kube::find(object, {"metadata", "deletionTimestamp"}) != nullptr;
}

Key private_of(const Json& deployment) {
  const config::PodOwner owner = config::owner_of_deployment(deployment);
  return Key(owner.name_space, owner.revision + std::string(kPrivate));
}

/// Big and of no use here.
Json trimmed(Json object) {
  object["metadata"].erase("managedFields");
  return object;
}

}  // namespace

Key key_of(const Json& object) { return Key(kube::namespace_of(object), kube::name_of(object)); }

ClusterState::Objects* ClusterState::objects_of(const kube::Resource& resource) {
  if (resource == kube::kServices) return &services_;
  if (resource == kube::kDeployments) return &deployments_;
  return nullptr;
}

ClusterState::Touched ClusterState::applied(const kube::Resource& resource, const Json& object) {
  if (resource == kube::kEndpointSlices) {
    slices_[service_of(object)][key_of(object)] = trimmed(object);
  } else if (Objects* objects = objects_of(resource)) {
    const bool ours = resource != kube::kDeployments || config::is_injected(object);
    Touched touched = touched_by(resource, object);
    if (ours) {
      (*objects)[key_of(object)] = trimmed(object);
    } else {
      objects->erase(key_of(object));
    }
    return touched;
  }
  return touched_by(resource, object);
}

ClusterState::Touched ClusterState::removed(const kube::Resource& resource, const Json& object) {
  if (resource == kube::kEndpointSlices) {
    const auto of_service = slices_.find(service_of(object));
    if (of_service != slices_.end()) {
      of_service->second.erase(key_of(object));
      if (of_service->second.empty()) slices_.erase(of_service);
    }
    return touched_by(resource, object);
  }
  // Whom it concerned is told by what it was: of what is gone, only its metadata is known here.
  Objects* objects = objects_of(resource);
  const auto last = objects == nullptr ? Objects::node_type() : objects->extract(key_of(object));
  return touched_by(resource, last.empty() ? object : last.mapped());
}

ClusterState::Touched ClusterState::everything() const {
  Touched out;
  for (const auto& [key, service] : services_) out.services.insert(key);
  for (const auto& [key, deployment] : deployments_) out.deployments.insert(key);
  return out;
}

ClusterState::Touched ClusterState::touched_by(const kube::Resource& resource,
                                               const Json& object) const {
  Touched out;
  const auto managed_in = [&](const std::string* space) {
    for (const auto& [key, service] : services_) {
      if ((space == nullptr || key.first == *space) && config::is_managed(service)) {
        out.services.insert(key);
      }
    }
  };
  const auto select_by = [&](const Json& deployment) {
    const std::string_view space = kube::namespace_of(deployment);
    for (auto each = services_.lower_bound(Key(space, ""));
         each != services_.end() && each->first.first == space; ++each) {
      if (selects(each->second, deployment)) out.services.insert(each->first);
    }
  };
  if (resource == kube::kDeployments) {
    const Key key = key_of(object);
    out.deployments.insert(key);
    if (services_.contains(private_of(object))) out.services.insert(private_of(object));
    managed_in(&key.first);
    select_by(object);
  } else if (resource == kube::kServices) {
    const Key key = key_of(object);
    out.services.insert(key);
    for (const auto& [name, deployment] : deployments_) {
      if (private_of(deployment) == key) out.deployments.insert(name);
    }
    if (!out.deployments.empty()) managed_in(&key.first);
  } else if (resource == kube::kEndpointSlices) {
    const Key key = service_of(object);
    out.services.insert(key);
    if (key == activator_) {
      managed_in(nullptr);
    } else if (key.second.ends_with(kPrivate)) {
      for (const auto& [name, deployment] : deployments_) {
        if (private_of(deployment) == key) select_by(deployment);
      }
    }
  }
  return out;
}

std::optional<ServiceFacts> ClusterState::facts(const Key& key) const {
  const auto found = services_.find(key);
  if (found == services_.end() || is_going(found->second)) return std::nullopt;
  ServiceFacts out;
  out.service = found->second;
  std::size_t matches = 0;
  for (auto each = deployments_.lower_bound(Key(key.first, ""));
       each != deployments_.end() && each->first.first == key.first; ++each) {
    const Json& deployment = each->second;
    const bool ours = !is_going(deployment) && private_of(deployment) != key;
    if (!ours || !selects(out.service, deployment)) continue;
    out.deployment = &deployment;
    ++matches;
  }
  if (matches > 1) out.deployment = nullptr;  // whose requests they are nobody can say
  out.several_deployments = matches > 1;
  if (port_is_anothers(key, out.service)) {
    out.service["metadata"]["annotations"].erase(kPortAnnotation);
  }
  out.slices = slices_of(key);
  for (Place& place : places_in(slices_of(activator_))) {
    place.target = nullptr;  // a pod of another namespace
    if (place.ready && !place.terminating) out.activators.push_back(std::move(place));
  }
  if (out.deployment != nullptr) {
    const Key hidden = private_of(*out.deployment);
    out.pods = places_in(slices_of(hidden));
    const auto service = services_.find(hidden);
    const bool serve = service != services_.end() &&
                       kube::annotation_of(service->second, kPathAnnotation) == "serve";
    out.path = serve ? Path::serve : Path::proxy;
  }
  out.free_port = free_port(out.service, used_ports(key));
  return out;
}

ClusterState::PrivateFacts ClusterState::private_facts(const Key& key) const {
  PrivateFacts out;
  const auto found = deployments_.find(key);
  if (found == deployments_.end() || is_going(found->second)) return out;
  out.deployment = &found->second;
  const auto service = services_.find(private_of(found->second));
  if (service != services_.end()) out.service = &service->second;
  return out;
}

const Json* ClusterState::orphan(const Key& key) const {
  const auto found = services_.find(key);
  if (found == services_.end() || is_going(found->second)) return nullptr;
  if (kube::label_of(found->second, kPrivateLabel) != "true") return nullptr;
  for (auto each = deployments_.lower_bound(Key(key.first, ""));
       each != deployments_.end() && each->first.first == key.first; ++each) {
    if (private_of(each->second) == key) return nullptr;
  }
  return &found->second;
}

std::string ClusterState::cluster_ip(const Key& key) const {
  const auto found = services_.find(key);
  if (found == services_.end()) return "";
  const std::string_view ip = kube::text(found->second, {"spec", "clusterIP"});
  return ip == "None" ? std::string() : std::string(ip);
}

std::set<std::string> ClusterState::activators() const {
  std::set<std::string> out;
  for (const Place& place : places_in(slices_of(activator_))) {
    if (place.ready && !place.terminating) out.insert(place.ip);
  }
  return out;
}

std::vector<Json> ClusterState::slices_of(const Key& service) const {
  std::vector<Json> out;
  const auto found = slices_.find(service);
  if (found == slices_.end()) return out;
  for (const auto& [key, slice] : found->second) out.push_back(slice);
  return out;
}

std::set<std::uint16_t> ClusterState::used_ports(const Key& except) const {
  std::set<std::uint16_t> out;
  for (const auto& [key, service] : services_) {
    if (key != except && port_of(service) != 0) out.insert(port_of(service));
  }
  return out;
}

bool ClusterState::port_is_anothers(const Key& key, const Json& service) const {
  const std::uint16_t port = port_of(service);
  if (port == 0) return false;
  for (auto other = services_.begin(); other != services_.end() && other->first < key; ++other) {
    if (port_of(other->second) == port) return true;
  }
  return false;
}

}  // namespace pilotlight::controller
