#include "config/convert.h"

#include <string_view>

#include "config/check_deployment.h"
#include "config/deployment_view.h"
#include "config/json_reader.h"
#include "config/manifest_items.h"
#include "config/manifest_kinds.h"
#include "config/revision.h"

namespace pilotlight::config {
namespace {

using nlohmann::json;

constexpr std::string_view kKnative = "serving.knative.dev/";
constexpr const char* kAppLabel = "app";

std::string text(const json& object, const char* key) {
  if (!object.is_object()) return "";
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool is_scaling(const std::string& key) {
  return key.starts_with("autoscaling.knative.dev/") || key == kProgressDeadlineAnnotation ||
         is_live_annotation(key);
}

/// What somebody wrote, without what Knative and kubectl have added.
bool is_written(const std::string& key) {
  return !key.starts_with(kKnative) && key != "kubectl.kubernetes.io/last-applied-configuration";
}

void set_if_any(json& object, const char* key, const StringMap& values) {
  if (!values.empty()) object[key] = values;
}

/// The limits, as annotations of the pods.
StringMap pod_annotations(const Revision& revision) {
  StringMap out;
  for (const auto& [key, value] : revision.template_annotations) {
    if (!is_scaling(key) && is_written(key)) out[key] = value;
  }
  if (revision.container_concurrency != 0) {
    out[kConcurrencyAnnotation] = std::to_string(revision.container_concurrency);
  }
  out[kTimeoutAnnotation] = std::to_string(revision.timeout.count());
  if (revision.response_start_timeout) {
    out[kResponseStartAnnotation] = std::to_string(revision.response_start_timeout->count());
  }
  if (revision.idle_timeout) out[kIdleAnnotation] = std::to_string(revision.idle_timeout->count());
  return out;
}

/// Kubernetes wants the port that Knative lets out, and a handler.
void complete_probe(json& container, const char* key, std::uint16_t port) {
  const auto found = container.find(key);
  if (found == container.end() || !found->is_object()) return;
  bool handled = false;
  for (const char* handler : {"httpGet", "tcpSocket", "grpc", "exec"}) {
    const auto inner = found->find(handler);
    if (inner == found->end() || !inner->is_object()) continue;
    handled = true;
    if (std::string_view(handler) == "exec") continue;
    if (!inner->contains("port") || (*inner)["port"] == 0) (*inner)["port"] = port;
  }
  if (!handled) (*found)["tcpSocket"] = {{"port", port}};
}

json pod_spec(const Revision& revision, const json& written, std::size_t serving) {
  json spec = written;
  for (const char* ours : {"containerConcurrency", "timeoutSeconds", "responseStartTimeoutSeconds",
                           "idleTimeoutSeconds"}) {
    spec.erase(ours);
  }
  spec["terminationGracePeriodSeconds"] = revision.timeout.count();
  if (!spec.contains("enableServiceLinks")) spec["enableServiceLinks"] = false;
  json& container = spec["containers"][serving];
  const std::uint16_t port = revision.container.declared_port();
  if (text(container, "name").empty()) container["name"] = revision.container.name;
  if (revision.container.ports.empty()) {
    container["ports"] = json::array({{{"containerPort", port}, {"name", "http1"}}});
  }
  for (const char* key : {"readinessProbe", "livenessProbe", "startupProbe"}) {
    complete_probe(container, key, port);
  }
  return spec;
}

json metadata_of(const Revision& revision, const json& written, StringMap labels,
                 const StringMap& annotations) {
  json out = {{"name", revision.service}};
  const std::string space = text(written["metadata"], "namespace");
  if (!space.empty()) out["namespace"] = space;
  set_if_any(out, "labels", labels);
  set_if_any(out, "annotations", annotations);
  return out;
}

/// Both objects of a Knative Service that has been read without problems.
void add_objects(const Revision& revision, const json& written, std::vector<json>& out) {
  StringMap own_labels = revision.labels;
  StringMap pod_labels = revision.template_labels;
  for (StringMap* labels : {&own_labels, &pod_labels}) {
    labels->erase(kServiceLabel);
    labels->erase(kRevisionLabel);
    labels->erase(kInjectLabel);
  }
  pod_labels.try_emplace(kAppLabel, revision.service);
  const StringMap selector = {{kAppLabel, pod_labels[kAppLabel]}};
  StringMap scaling;
  for (const auto& [key, value] : revision.annotations) {
    if (is_scaling(key)) scaling[key] = value;
  }
  StringMap deployment_labels = own_labels;
  deployment_labels[kInjectLabel] = "true";
  pod_labels[kInjectLabel] = "true";

  const json& written_spec = written["spec"]["template"]["spec"];
  json pod = {{"metadata", {{"labels", pod_labels}, {"annotations", pod_annotations(revision)}}},
              {"spec", pod_spec(revision, written_spec, revision.container_index)}};
  out.push_back(
      {{"apiVersion", "apps/v1"},
       {"kind", "Deployment"},
       {"metadata", metadata_of(revision, written, deployment_labels, scaling)},
       {"spec", {{"selector", {{"matchLabels", selector}}}, {"template", std::move(pod)}}}});

  StringMap notes;
  if (written["metadata"].contains("annotations")) {
    for (const auto& [key, value] : written["metadata"]["annotations"].items()) {
      if (is_written(key) && !is_scaling(key)) notes[key] = value.get<std::string>();
    }
  }
  json port = {{"name", "http"},
               {"port", 80},
               {"protocol", "TCP"},
               {"targetPort", revision.container.declared_port()}};
  out.push_back({{"apiVersion", "v1"},
                 {"kind", "Service"},
                 {"metadata", metadata_of(revision, written, own_labels, notes)},
                 {"spec", {{"selector", selector}, {"ports", json::array({std::move(port)})}}}});
}

/// The place of a problem in the document; the path before its `: ` is the same there.
std::string placed(const Document& document, const std::string& problem) {
  return document.at(problem.substr(0, problem.find(": "))) + ": " + problem;
}

/// What the webhook would refuse of what has been made.
Problems check_made(const Document& document, const std::vector<json>& made) {
  Problems problems;
  for (const json& object : made) {
    if (object["kind"] != "Deployment") continue;
    for (const std::string& problem : check_deployment(object, AutoscalerDefaults())) {
      problems.push_back(placed(document, problem));
    }
  }
  return problems;
}

Problems convert_one(const Document& document, std::vector<json>& out) {
  const std::string version = text(document.value, "apiVersion");
  if (!version.starts_with(kKnative)) {
    out.push_back(document.value);
    return {};
  }
  Report report([&document](const std::string& path) { return document.at(path); });
  if (text(document.value, "kind") != "Service" || version != "serving.knative.dev/v1") {
    report.wrong("kind", in_quotes(version + " " + text(document.value, "kind")),
                 "serving.knative.dev/v1 Service: nothing else of Knative's can be converted");
    return report.problems();
  }
  ObjectReader root(&document.value, "", report, Unknown::refused);
  root.ignore({"apiVersion", "kind", "status"});
  std::vector<std::string> ignored;
  const Revision revision = read_service(root, AutoscalerDefaults(), ignored, Unknown::ignored);
  root.end();
  if (!report.problems().empty()) return report.problems();
  std::vector<json> made;
  add_objects(revision, document.value, made);
  out.insert(out.end(), made.begin(), made.end());
  return check_made(document, made);
}

void inject_one(const Document& document, const InjectSettings& settings, std::vector<json>& out,
                Problems& problems) {
  const std::string kind = text(document.value, "kind");
  out.push_back(document.value);
  const bool deployment = kind == "Deployment" && text(document.value, "apiVersion") == "apps/v1";
  const bool pod = kind == "Pod" && text(document.value, "apiVersion") == "v1";
  if ((!deployment && !pod) || !is_injected(document.value)) return;
  const auto add = [&](const Problems& more) {
    for (const std::string& problem : more) problems.push_back(placed(document, problem));
  };
  if (pod) {
    const auto owner = owner_of_pod(document.value, text(document.value["metadata"], "namespace"));
    if (!owner) return add(owner.error());
    auto injected = inject(document.value, *owner, settings);
    if (!injected) return add(injected.error());
    out.back() = std::move(*injected);
    return;
  }
  const json* spec = document.value.contains("spec") ? &document.value["spec"] : nullptr;
  const bool has_template = spec != nullptr && spec->is_object() && spec->contains("template");
  const json written = has_template ? (*spec)["template"] : json();
  if (!is_injected(written)) {
    return add({std::string("spec.template.metadata.labels: got none that asks for the sidecar, "
                            "expected ") +
                kInjectLabel + ": \"true\""});
  }
  auto injected = inject(written, owner_of_deployment(document.value), settings, "spec.template");
  if (!injected) return add(injected.error());
  out.back()["spec"]["template"] = std::move(*injected);
}

}  // namespace

Checked<std::vector<json>> convert(const std::vector<Document>& documents) {
  std::vector<json> out;
  Problems problems;
  for (const Document& document : objects_of(documents, problems)) {
    const Problems more = convert_one(document, out);
    problems.insert(problems.end(), more.begin(), more.end());
  }
  if (!problems.empty()) return problems;
  return out;
}

Checked<std::vector<json>> inject(const std::vector<Document>& documents,
                                  const InjectSettings& settings) {
  std::vector<json> out;
  Problems problems;
  for (const Document& document : objects_of(documents, problems)) {
    inject_one(document, settings, out, problems);
  }
  if (!problems.empty()) return problems;
  return out;
}

}  // namespace pilotlight::config
