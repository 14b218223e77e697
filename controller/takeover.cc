#include "controller/takeover.h"

#include <algorithm>
#include <functional>

#include "config/inject.h"
#include "config/inject_checks.h"
#include "config/revision.h"
#include "controller/admission.h"
#include "controller/service_ports.h"

namespace pilotlight::controller {
namespace {

using Verb = Step::Verb;

constexpr const char* kServiceName = "kubernetes.io/service-name";
constexpr const char* kOurs = "pilotlight.dev";
constexpr const char* kIPv6 = "-ipv6";
constexpr std::size_t kMostEndpoints = 1000;  // what the API server accepts in one slice

bool is_ours(const Json& slice) { return kube::label_of(slice, kManagedBy) == kOurs; }

/// A slice that Kubernetes made of the selector, or of an Endpoints object.
bool is_kubernetes(const Json& slice) {
  const std::string_view by = kube::label_of(slice, kManagedBy);
  return by == kEndpointSliceController || by == "endpointslicemirroring-controller.k8s.io";
}

Json copy_without(Json object, const char* list, std::initializer_list<const char*> keys) {
  Json& metadata = object["metadata"];
  if (!metadata.contains(list) || !metadata[list].is_object()) return object;
  for (const char* key : keys) metadata[list].erase(key);
  if (metadata[list].empty()) metadata.erase(list);
  return object;
}

Json owner(const char* version, const char* kind, const Json& object) {
  return {{"apiVersion", version},
          {"kind", kind},
          {"name", std::string(kube::name_of(object))},
          {"uid", std::string(kube::text(object, {"metadata", "uid"}))},
          {"controller", true}};
}

Json endpoint_of(const Place& place) {
  Json out = {
      {"addresses", Json::array({place.ip})},
      {"conditions",
       {{"ready", place.ready}, {"serving", place.serving}, {"terminating", place.terminating}}}};
  if (!place.node.empty()) out["nodeName"] = place.node;
  if (!place.target.is_null()) out["targetRef"] = place.target;
  return out;
}

bool any_ready(const std::vector<Place>& places) {
  return std::any_of(places.begin(), places.end(), [](const Place& place) { return place.ready; });
}

/// Whether what Kubernetes made of the selector leads to a pod that takes connections.
bool serves_without_us(std::vector<Json> slices) {
  std::erase_if(slices, [](const Json& slice) { return !is_kubernetes(slice); });
  return any_ready(places_in(slices));
}

/// Makes the plan for one Service.
class Planner {
 public:
  explicit Planner(const ServiceFacts& facts)
      : facts_(facts), service_(facts.service), state_(kube::label_of(service_, kManagedLabel)) {}

  Plan make() {
    ServicePorts ports;
    if (facts_.has_private_name) {
      plan_.left_alone = "it has the name of a Deployment's private Service, but no label " +
                         std::string(kPrivateLabel);
    } else if (facts_.deployment != nullptr) {
      ports = sort_ports(service_, *facts_.deployment);
      plan_.left_alone = obstacle(ports);
    } else if (facts_.several_deployments) {
      plan_.left_alone = "it selects the pods of several Deployments";
    }
    if (facts_.deployment == nullptr || !plan_.left_alone.empty()) {
      give_back();
    } else if (state_.empty() || port_of(service_) == 0) {
      prepare();
    } else {
      take(ports);
    }
    return std::move(plan_);
  }

 private:
  std::string obstacle(const ServicePorts& ports) const {
    // The activators would send to the pods of that one.
    if (facts_.private_name_taken) {
      return "its Deployment's private Service is not ours: got no label " +
             std::string(kPrivateLabel) + " on " + private_name(*facts_.deployment) +
             ", expected \"true\"";
    }
    if (kube::text(service_, {"spec", "type"}) == "ExternalName") return "it is an ExternalName";
    if (kube::text(service_, {"spec", "clusterIP"}) == "None") {
      return "it is headless: its clients choose a pod themselves";
    }
    for (const char* policy : {"internalTrafficPolicy", "externalTrafficPolicy"}) {
      if (kube::text(service_, {"spec", policy}) != "Local") continue;
      return std::string(policy) +
             ": got Local, expected Cluster: activators are not on every node";
    }
    const std::string family = wrong_family();
    if (!family.empty()) return family;
    // Once it is taken there is no such slice for long, nor a way back.
    if (state_ != kTaken && leads_to_others(facts_.slices, *facts_.deployment)) {
      return "it selects pods too that are not of Deployment " +
             std::string(kube::name_of(*facts_.deployment)) + ": they would get nothing any more";
    }
    if (ports.app.empty()) return "none of its ports leads to the app";
    if (port_of(service_) == 0 && facts_.free_port == 0) return "the activators' ports are used up";
    return "";
  }

  /// A proxier takes no address of another family than the Service's.
  std::string wrong_family() const {
    const Json& wanted = kube::array(service_, {"spec", "ipFamilies"});
    if (wanted.size() > 1) return "ipFamilies: got two, expected one: pods are known by one";
    if (wanted.empty() || !wanted[0].is_string() || facts_.families.empty()) return "";
    const std::string& family = wanted[0].get_ref<const std::string&>();
    if (facts_.families.contains(family)) return "";
    return "ipFamilies: got " + family + ", expected " + *facts_.families.begin() +
           ": activators have no other address";
  }

  void update_service(Json object) {
    if (object == service_) return;
    plan_.steps.push_back(Step{Verb::update, kube::kServices, std::move(object)});
  }

  void prepare() {
    Json wanted = service_;
    // A taken one whose port somebody removed gets another, and keeps its state.
    if (state_.empty()) wanted["metadata"]["labels"][kManagedLabel] = kPreparing;
    if (port_of(service_) == 0) {
      wanted["metadata"]["annotations"][kPortAnnotation] = std::to_string(facts_.free_port);
    }
    update_service(std::move(wanted));
  }

  void take(const ServicePorts& ports) {
    // Pods from before the label: none is known here, and Kubernetes leads to them.
    if (state_ != kTaken && !any_ready(facts_.pods) && serves_without_us(facts_.slices)) {
      plan_.left_alone = "its pods serve on until one that has the sidecar is ready";
      remove_slices(&is_ours);  // from a step before: whoever came there would wait
      return;
    }
    // With no pod that is ready somebody has to hold the requests, whatever the rule says.
    const bool serve = facts_.path == Path::serve && facts_.pods.size() <= kMostEndpoints &&
                       any_ready(facts_.pods);
    // Without an activator the sidecars are better than nobody; without both the old ones stay.
    if (!serve && !facts_.activators.empty()) {
      lead("-pilotlight", ports.app, port_of(service_), facts_.activators);
    } else if (any_ready(facts_.pods)) {
      lead("-pilotlight", ports.app, config::kServingPort, facts_.pods);
    } else if (state_ != kTaken) {
      return;  // nobody to lead to yet: the Service still works as it did
    }
    if (!ports.direct.empty()) {
      lead("-pilotlight-direct", ports.direct, 0, facts_.pods);
    } else {
      remove_slices([this](const Json& slice) {
        return is_ours(slice) && kube::name_of(slice).starts_with(name("-pilotlight-direct"));
      });
    }
    Json wanted = service_;
    wanted["metadata"]["labels"][kManagedLabel] = kTaken;
    const Json* selector = kube::find(service_, {"spec", "selector"});
    const bool selecting = selector != nullptr && !selector->empty();
    if (selecting) {
      wanted["metadata"]["annotations"][kSelectorAnnotation] = kube::to_text(*selector);
      wanted["spec"].erase("selector");
    }
    update_service(std::move(wanted));
    if (selecting) return;  // Kubernetes would make them anew
    const auto& slices = facts_.slices;
    if (std::none_of(slices.begin(), slices.end(), &is_kubernetes)) return;
    // First the Endpoints object, of which Kubernetes would make slices again.
    Json endpoints = {{"apiVersion", "v1"}, {"kind", "Endpoints"}, {"metadata", identity("")}};
    plan_.steps.push_back(Step{Verb::remove, kEndpoints, std::move(endpoints)});
    remove_slices(&is_kubernetes);
  }

  void give_back() {
    if (!state_.empty()) {
      Json wanted = copy_without(service_, "labels", {kManagedLabel});
      const Json selector = original_selector(service_);
      if (!selector.empty()) wanted["spec"]["selector"] = selector;
      wanted =
          copy_without(std::move(wanted), "annotations", {kSelectorAnnotation, kPortAnnotation});
      update_service(std::move(wanted));
      return;  // our slices lead on until Kubernetes has made its own
    }
    const auto& slices = facts_.slices;
    const Json* selector = kube::find(service_, {"spec", "selector"});
    const bool selecting = selector != nullptr && !selector->empty();
    if (selecting && std::none_of(slices.begin(), slices.end(), &is_kubernetes)) return;
    remove_slices(&is_ours);
  }

  std::string name(const std::string& tail) const {
    return std::string(kube::name_of(service_)) + tail;
  }

  Json identity(const std::string& tail) const {
    return {{"name", name(tail)}, {"namespace", std::string(kube::namespace_of(service_))}};
  }

  /// A slice of ours that leads these ports (to `port`, unless it is 0) to these places.
  void lead(const std::string& tail, std::vector<Json> ports, std::uint16_t port,
            const std::vector<Place>& places) {
    for (Json& each : ports) {
      if (port != 0) each["port"] = port;
    }
    const std::string_view family = places.empty() ? "IPv4" : family_of(places.front());
    const bool v6 = family == "IPv6";
    Json endpoints = Json::array();
    for (const Place& place : places) {
      if (family_of(place) != family) continue;
      if (endpoints.size() < kMostEndpoints) endpoints.push_back(endpoint_of(place));
    }
    Json slice = {{"apiVersion", "discovery.k8s.io/v1"},
                  {"kind", "EndpointSlice"},
                  {"metadata", identity(tail + (v6 ? kIPv6 : ""))},
                  {"addressType", family},
                  {"ports", std::move(ports)},
                  {"endpoints", std::move(endpoints)}};
    slice["metadata"]["labels"] = {{kServiceName, name("")}, {kManagedBy, kOurs}};
    slice["metadata"]["ownerReferences"] = Json::array({owner("v1", "Service", service_)});
    write_slice(std::move(slice));
    // The kind of addresses of a slice cannot be changed: the other one goes once this one is
    // there.
    remove_slices([&](const Json& found) {
      return is_ours(found) && kube::name_of(found) == name(tail + (v6 ? "" : kIPv6));
    });
  }

  void write_slice(Json slice) {
    for (const Json& found : facts_.slices) {
      if (kube::name_of(found) != kube::name_of(slice)) continue;
      const bool same = kube::array(found, {"ports"}) == slice["ports"] &&
                        kube::array(found, {"endpoints"}) == slice["endpoints"] && is_ours(found);
      if (same) return;
      slice["metadata"]["resourceVersion"] = std::string(kube::resource_version_of(found));
      plan_.steps.push_back(Step{Verb::update, kube::kEndpointSlices, std::move(slice)});
      return;
    }
    plan_.steps.push_back(Step{Verb::create, kube::kEndpointSlices, std::move(slice)});
  }

  void remove_slices(const std::function<bool(const Json&)>& which) {
    for (const Json& slice : facts_.slices) {
      if (which(slice)) {
        plan_.steps.push_back(Step{Verb::remove, kube::kEndpointSlices, slice});
      }
    }
  }

  const ServiceFacts& facts_;
  const Json& service_;
  const std::string_view state_;  // "", preparing or taken
  Plan plan_;
};

}  // namespace

Plan plan_service(const ServiceFacts& facts) { return Planner(facts).make(); }

std::string private_name(const Json& deployment) {
  return config::owner_of_deployment(deployment).revision + "-private";
}

bool is_private(const Json& service) { return kube::label_of(service, kPrivateLabel) == "true"; }

std::optional<Step> plan_private_service(const Json& deployment, const Json* found) {
  if (found != nullptr && !is_private(*found)) return std::nullopt;
  const config::PodOwner names = config::owner_of_deployment(deployment);
  Json service = {{"apiVersion", "v1"}, {"kind", "Service"}};
  service["metadata"] = {
      {"name", private_name(deployment)},
      {"namespace", names.name_space},
      {"labels", {{config::kRevisionLabel, names.revision}, {kPrivateLabel, "true"}}}};
  service["metadata"]["ownerReferences"] =
      Json::array({owner("apps/v1", "Deployment", deployment)});
  Json port = {{"name", "http"},
               {"port", config::kServingPort},
               {"protocol", "TCP"},
               {"targetPort", config::kServingPort}};
  service["spec"] = {{"clusterIP", "None"},
                     {"selector", {{config::kRevisionLabel, names.revision}}},
                     {"ports", Json::array({std::move(port)})}};
  if (found == nullptr) return Step{Verb::create, kube::kServices, std::move(service)};
  // The API server has added fields of its own; ours are those above.
  const Json* selector = kube::find(*found, {"spec", "selector"});
  const Json& ports = kube::array(*found, {"spec", "ports"});
  const bool same_port = ports.size() == 1 &&
                         kube::integer(ports[0], {"port"}) == config::kServingPort &&
                         kube::text(ports[0], {"name"}) == "http";
  const Json& owners = kube::array(*found, {"metadata", "ownerReferences"});
  const bool owned = owners.size() == 1 &&
                     kube::text(owners[0], {"uid"}) == kube::text(deployment, {"metadata", "uid"});
  if (selector != nullptr && *selector == service["spec"]["selector"] && same_port && owned) {
    return std::nullopt;
  }
  service["metadata"]["resourceVersion"] = std::string(kube::resource_version_of(*found));
  return Step{Verb::update, kube::kServices, std::move(service)};
}

}  // namespace pilotlight::controller
