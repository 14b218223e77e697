#include "config/inject.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "config/deployment_view.h"
#include "config/inject_checks.h"
#include "config/pod_spec_reader.h"
#include "config/revision.h"
#include "config/sidecar_container.h"
#include "config/template_annotations.h"

namespace pilotlight::config {
namespace {

using nlohmann::json;

/// The first of the ports that an app may use for more servers (PORT_1 and so on): on a cluster a
/// pod has all ports to itself, so these are always the same.
constexpr int kFirstMorePort = 18081;

const json kNothing;

const json& member(const json& object, const char* key) {
  if (!object.is_object()) return kNothing;
  const auto found = object.find(key);
  return found == object.end() ? kNothing : *found;
}

std::string text(const json& object, const char* key) {
  const json& value = member(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

/// What the programs will read of this pod, and everything that is wrong with it.
DeploymentView view_pod(const json& pod, const PodOwner& owner, const std::string& where,
                        Report& report) {
  ObjectReader root(&pod, where, report, Unknown::ignored);
  ObjectReader metadata = root.object("metadata");
  DeploymentView view;
  view.name_space = owner.name_space;
  view.service = owner.service;
  view.revision = owner.revision;
  view.template_annotations = metadata.strings("annotations");
  const std::string path = metadata.path_of("annotations");
  const TemplateAnnotations values =
      read_template_annotations(view.template_annotations, path, Unknown::refused, report);
  values.apply_to(view);
  check_timeouts(view.timeout, view.response_start_timeout, join(path, kResponseStartAnnotation),
                 view.idle_timeout, join(path, kIdleAnnotation), report);
  return view;
}

bool has_handler(const json& probe, const char* handler) {
  return member(probe, handler).is_object();
}

/// Containers beside the app whose probe the sidecar can ask itself: no request may come before
/// they are ready either.
std::vector<Container> probed_others(const json& containers, std::size_t serving) {
  std::vector<Container> out;
  for (std::size_t i = 0; i < containers.size(); ++i) {
    const json& probe = member(containers[i], "readinessProbe");
    if (i == serving || (!has_handler(probe, "httpGet") && !has_handler(probe, "tcpSocket"))) {
      continue;
    }
    Container other;
    other.readiness_probe = probe;
    for (const json& port : member(containers[i], "ports")) {
      const json& number = member(port, "containerPort");
      if (!number.is_number_integer()) continue;
      ContainerPort known;
      known.name = text(port, "name");
      known.number = static_cast<std::uint16_t>(number.get<std::int64_t>());
      other.ports.push_back(std::move(known));
    }
    out.push_back(std::move(other));
  }
  return out;
}

json from_field(const char* name, const char* path) {
  return {{"name", name}, {"valueFrom", {{"fieldRef", {{"fieldPath", path}}}}}};
}

/// What every app finds, as on a laptop; what it sets itself stays.
void give_variables(json& container, const PodOwner& owner, std::uint16_t port) {
  json env = json::array();
  const auto add = [&](json variable) {
    for (const json& own : member(container, "env")) {
      if (text(own, "name") == variable["name"]) return;
    }
    env.push_back(std::move(variable));
  };
  add({{"name", "PORT"}, {"value", std::to_string(port)}});
  for (int i = 1; i <= 3; ++i) {
    add({{"name", fmt::format("PORT_{}", i)}, {"value", std::to_string(kFirstMorePort + i - 1)}});
  }
  add(from_field("POD_IP", "status.podIP"));
  add(from_field("POD_NAME", "metadata.name"));
  add({{"name", "K_SERVICE"}, {"value", owner.service}});
  add({{"name", "K_CONFIGURATION"}, {"value", owner.service}});
  add({{"name", "K_REVISION"}, {"value", owner.revision}});
  // First, so that `$(PORT)` means something in the variables that follow.
  for (const json& own : member(container, "env")) env.push_back(own);
  container["env"] = std::move(env);
}

void move_probe(json& container) {
  const json& probe = member(container, "readinessProbe");
  if (has_handler(probe, "exec") || has_handler(probe, "grpc")) return;
  container.erase("readinessProbe");
}

void wait_for_drain(json& container) {
  json& lifecycle = container["lifecycle"];
  if (!lifecycle.is_object()) lifecycle = json::object();
  if (!member(lifecycle, "preStop").is_object()) lifecycle["preStop"] = drain_hook();
}

void add_labels(json& pod, const PodOwner& owner) {
  json& labels = pod["metadata"]["labels"];
  if (!labels.is_object()) labels = json::object();
  labels[kServiceLabel] = owner.service;
  labels[kRevisionLabel] = owner.revision;
}

/// A template's label wins over the name of its Deployment when a pod is made: with another's its
/// pods would take that one's requests, and speak for it.
void check_owner(const json& pod, const PodOwner& owner, const std::string& where, Report& report) {
  const std::string path = join(join(where, "metadata"), "labels");
  const std::string found = text(member(member(pod, "metadata"), "labels"), kRevisionLabel);
  if (found.empty() || found == owner.revision) return;
  report.wrong(join(path, kRevisionLabel), in_quotes(found),
               in_quotes(owner.revision) + ": its pods would take another one's requests");
}

/// The list at `key`, which is made if it is not there.
json& list_at(json& object, const char* key) {
  json& list = object[key];
  if (!list.is_array()) list = json::array();
  return list;
}

}  // namespace

Checked<PodOwner> owner_of_pod(const json& pod, const std::string& name_space) {
  const json& metadata = member(pod, "metadata");
  const json& labels = member(metadata, "labels");
  PodOwner owner;
  owner.name_space = name_space;
  owner.service = text(labels, kServiceLabel);
  owner.revision = text(labels, kRevisionLabel);
  // A ReplicaSet is named after its Deployment and the hash of the template, which is a label too.
  const std::string tail = "-" + text(labels, "pod-template-hash");
  for (const json& reference : member(metadata, "ownerReferences")) {
    const std::string name = text(reference, "name");
    if (text(reference, "kind") != "ReplicaSet" || tail == "-" || !name.ends_with(tail)) continue;
    const std::string deployment = name.substr(0, name.size() - tail.size());
    if (owner.service.empty()) owner.service = deployment;
    if (owner.revision.empty()) owner.revision = deployment;
  }
  if (owner.service.empty() || owner.revision.empty()) {
    return Problems{fmt::format(
        "metadata.ownerReferences: got no Deployment's ReplicaSet, expected a pod of a Deployment, "
        "or the labels {} and {}",
        kServiceLabel, kRevisionLabel)};
  }
  return owner;
}

PodOwner owner_of_deployment(const json& deployment) {
  const json& metadata = member(deployment, "metadata");
  const json& labels = member(metadata, "labels");
  PodOwner owner;
  const std::string name = text(metadata, "name");
  owner.name_space = text(metadata, "namespace");
  if (owner.name_space.empty()) owner.name_space = "default";
  owner.service = text(labels, kServiceLabel);
  owner.revision = text(labels, kRevisionLabel);
  if (owner.service.empty()) owner.service = name;
  if (owner.revision.empty()) owner.revision = name;
  return owner;
}

Checked<json> inject(const json& pod, const PodOwner& owner, const InjectSettings& settings,
                     const std::string& where) {
  Report report;
  check_owner(pod, owner, where, report);
  if (has_sidecar(pod)) {
    if (report.problems().empty()) return Checked<json>(boost::system::in_place_value, pod);
    return Checked<json>(boost::system::in_place_error, report.problems());
  }
  const DeploymentView view = view_pod(pod, owner, where, report);
  const std::string path = join(where, "spec");
  const json& spec = member(pod, "spec");
  PodSpecNotes notes;
  ObjectReader reader(&spec, path, report, Unknown::ignored);
  const PodSpec read = read_pod_spec(reader, notes);
  check_injectable(spec, path, notes.container_index, report);
  if (!report.problems().empty()) {  // JSON too could be made of the list: say which is meant
    return Checked<json>(boost::system::in_place_error, report.problems());
  }

  const std::size_t serving = notes.container_index;
  json sidecar =
      sidecar_container(view, read.container, probed_others(spec["containers"], serving), settings);
  json out = pod;
  json& containers = out["spec"]["containers"];
  give_variables(containers[serving], owner, read.container.declared_port());
  move_probe(containers[serving]);
  for (json& container : containers) wait_for_drain(container);
  json& first = list_at(out["spec"], "initContainers");
  first.insert(first.begin(), std::move(sidecar));
  list_at(out["spec"], "volumes").push_back(token_volume());
  add_labels(out, owner);
  return Checked<json>(boost::system::in_place_value, std::move(out));
}

}  // namespace pilotlight::config
