#include "controller/cluster_state.h"

#include <algorithm>

#include "config/deployment_view.h"
#include "config/inject.h"
#include "controller/admission.h"

namespace pilotlight::controller {
namespace {

/// The Service that a slice is of.
Key service_of(const Json& slice) {
  return Key(kube::namespace_of(slice), kube::label_of(slice, "kubernetes.io/service-name"));
}

bool is_going(const Json& object) {
  return kube::find(object, {"metadata", "deletionTimestamp"}) != nullptr;
}

Key private_of(const Json& deployment) {
  return Key(config::owner_of_deployment(deployment).name_space, private_name(deployment));
}

/// What of a Deployment decides about Services. Not its status, which changes with every replica.
Json deciding(const Json& deployment) {
  Json out;
  for (const char* key : {"name", "namespace", "uid", "labels", "deletionTimestamp"}) {
    if (const Json* found = kube::find(deployment, {"metadata", key}))
      out["metadata"][key] = *found;
  }
  const Json* pods = kube::find(deployment, {"spec", "template"});
  if (pods != nullptr) out["spec"]["template"] = *pods;
  return out;
}

/// Whether a Service may lead to addresses of that family: to any, if it does not say.
bool has_family(const Json& service, std::string_view family) {
  const Json& families = kube::array(service, {"spec", "ipFamilies"});
  return families.empty() || std::find(families.begin(), families.end(), family) != families.end();
}

std::vector<Place> of_its_families(std::vector<Place> places, const Json& service) {
  std::erase_if(places, [&](const Place& place) { return !has_family(service, family_of(place)); });
  return places;
}

/// Big and of no use here.
Json trimmed(Json object) {
  object["metadata"].erase("managedFields");
  return object;
}

}  // namespace

Key key_of(const Json& object) { return Key(kube::namespace_of(object), kube::name_of(object)); }

ClusterState::Touched ClusterState::applied(const kube::Resource& resource, const Json& object) {
  Touched touched;
  const Key key = key_of(object);
  if (resource == kube::kEndpointSlices) {
    slices_[service_of(object)][key] = trimmed(object);
    touch_slices(service_of(object), touched);
  } else if (resource == kube::kServices) {
    touch_service(key, touched);  // what it was
    const std::uint16_t port = known_port(key);
    if (port != 0 && port != port_of(object)) touched.ports.insert(port);
    put_service(key, object);
    touch_service(key, touched);
  } else if (resource == kube::kDeployments) {
    Json now = config::is_injected(object) ? deciding(object) : Json();
    const auto last = deployments_.find(key);
    if (now == (last == deployments_.end() ? Json() : last->second)) return touched;
    touch_deployment(key, touched);
    put_deployment(key, std::move(now));
    touch_deployment(key, touched);
  }
  return touched;
}

ClusterState::Touched ClusterState::removed(const kube::Resource& resource, const Json& object) {
  // Whom it concerned is told by what it was: of what is gone, only its metadata is known here.
  Touched touched;
  const Key key = key_of(object);
  if (resource == kube::kEndpointSlices) {
    forget_slice(object);
    touch_slices(service_of(object), touched);
  } else if (resource == kube::kServices) {
    touch_service(key, touched);
    if (known_port(key) != 0) touched.ports.insert(known_port(key));
    forget_service(key);
  } else if (resource == kube::kDeployments) {
    touch_deployment(key, touched);
    forget_deployment(key);
  }
  return touched;
}

ClusterState::Touched ClusterState::everything() const {
  Touched out;
  for (const auto& [key, service] : services_) out.services.insert(key);
  for (const auto& [key, deployment] : deployments_) out.deployments.insert(key);
  return out;
}

void ClusterState::put_service(const Key& key, const Json& service) {
  forget_service(key);
  if (port_of(service) != 0) ports_.add(port_of(service), key);
  selection_.set_selector(key, original_selector(service));
  services_[key] = trimmed(service);
}

void ClusterState::forget_service(const Key& key) {
  const auto found = services_.find(key);
  if (found == services_.end()) return;
  ports_.remove(port_of(found->second), key);
  selection_.set_selector(key, Json());
  services_.erase(found);
}

/// Null: it is none of ours.
void ClusterState::put_deployment(const Key& key, Json deciding) {
  forget_deployment(key);
  if (deciding.is_null()) return;
  hidden_.add(private_of(deciding), key);
  const Json* labels = kube::find(deciding, {"spec", "template", "metadata", "labels"});
  if (labels != nullptr) selection_.set_labels(key, *labels);
  deployments_[key] = std::move(deciding);
}

void ClusterState::forget_deployment(const Key& key) {
  const auto found = deployments_.find(key);
  if (found == deployments_.end()) return;
  hidden_.remove(private_of(found->second), key);
  selection_.set_labels(key, Json());
  deployments_.erase(found);
}

void ClusterState::forget_slice(const Json& slice) {
  const auto of_service = slices_.find(service_of(slice));
  if (of_service == slices_.end()) return;
  of_service->second.erase(key_of(slice));
  if (of_service->second.empty()) slices_.erase(of_service);
}

std::uint16_t ClusterState::known_port(const Key& service) const {
  const auto found = services_.find(service);
  return found == services_.end() ? 0 : port_of(found->second);
}

void ClusterState::touch_service(const Key& key, Touched& touched) const {
  touched.services.insert(key);
  touch_behind(key, touched);
  const auto found = services_.find(key);
  if (found == services_.end()) return;
  const std::set<Key>& sharing = ports_.at(port_of(found->second));
  touched.services.insert(sharing.begin(), sharing.end());
}

void ClusterState::touch_deployment(const Key& key, Touched& touched) const {
  const auto found = deployments_.find(key);
  if (found == deployments_.end()) return;
  touched.deployments.insert(key);
  const Key hidden = private_of(found->second);
  if (services_.contains(hidden)) touched.services.insert(hidden);
  touched.services.merge(selection_.services_of(key));
}

void ClusterState::touch_slices(const Key& service, Touched& touched) const {
  touched.services.insert(service);
  if (service == activator_) {
    for (const auto& [key, each] : services_) {
      // One that is not may have been left alone for the family of their addresses.
      const bool concerned = config::is_managed(each) || !selection_.deployments_of(key).empty();
      if (concerned) touched.services.insert(key);
    }
    return;
  }
  Touched behind;
  touch_behind(service, behind);
  touched.services.merge(behind.services);
}

void ClusterState::touch_behind(const Key& hidden, Touched& touched) const {
  for (const Key& deployment : hidden_.at(hidden)) {
    touched.deployments.insert(deployment);
    touched.services.merge(selection_.services_of(deployment));
  }
}

std::optional<ServiceFacts> ClusterState::facts(const Key& key) const {
  const auto found = services_.find(key);
  if (found == services_.end() || is_going(found->second)) return std::nullopt;
  ServiceFacts out;
  out.service = found->second;
  std::size_t matches = 0;
  for (const Key& each : selection_.deployments_of(key)) {
    const Json& deployment = deployments_.at(each);
    if (is_going(deployment) || private_of(deployment) == key) continue;
    out.deployment = &deployment;
    ++matches;
  }
  if (matches > 1) out.deployment = nullptr;  // whose requests they are nobody can say
  out.several_deployments = matches > 1;
  out.has_private_name = !hidden_.at(key).empty() && !is_private(found->second);
  if (port_is_anothers(key, out.service)) {
    out.service["metadata"]["annotations"].erase(kPortAnnotation);
  }
  out.slices = slices_of(key);
  const std::vector<Json> activators = slices_of(activator_);
  for (const Json& slice : activators) {
    out.families.emplace(kube::text(slice, {"addressType"}));
  }
  for (Place& place : of_its_families(places_in(activators), out.service)) {
    place.target = nullptr;  // a pod of another namespace
    if (place.ready && !place.terminating) out.activators.push_back(std::move(place));
  }
  if (out.deployment != nullptr) {
    const Key hidden = private_of(*out.deployment);
    out.pods = of_its_families(places_in(slices_of(hidden)), out.service);
    const auto service = services_.find(hidden);
    const bool there = service != services_.end();
    if (there) {  // pods are known by its addresses alone, of the cluster's first family
      std::erase_if(out.families,
                    [&](std::string_view family) { return !has_family(service->second, family); });
    }
    const bool serve = there && kube::annotation_of(service->second, kPathAnnotation) == "serve";
    out.path = serve ? Path::serve : Path::proxy;
    out.private_name_taken = there && !is_private(service->second);
  }
  out.free_port =
      free_port(out.service, [this](std::uint16_t port) { return !ports_.at(port).empty(); });
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
  if (!is_private(found->second)) return nullptr;
  return hidden_.at(key).empty() ? &found->second : nullptr;
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

bool ClusterState::port_is_anothers(const Key& key, const Json& service) const {
  const std::set<Key>& sharing = ports_.at(port_of(service));
  return !sharing.empty() && *sharing.begin() < key;
}

}  // namespace pilotlight::controller
