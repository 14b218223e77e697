// The plain Deployment (apps/v1) that asks for a sidecar by a label.

#include <fmt/format.h>

#include "config/manifest_kinds.h"
#include "config/pod_spec_reader.h"
#include "config/template_annotations.h"

namespace pilotlight::config {
namespace {

void check_inject(const StringMap& labels, const std::string& path, Report& report) {
  const auto found = labels.find(kInjectLabel);
  if (found != labels.end() && found->second == "true") return;
  report.wrong(join(path, kInjectLabel),
               found == labels.end() ? "nothing" : in_quotes(found->second),
               "\"true\": a Deployment asks for the sidecar by this label, here and in "
               "spec.template.metadata.labels");
}

StringMap read_selector(ObjectReader& spec, const StringMap& template_labels) {
  ObjectReader reader = spec.object("selector");
  const StringMap labels = reader.strings("matchLabels");
  reader.refuse("matchExpressions", "matchLabels");
  reader.end();
  Report& report = spec.report();
  if (labels.empty()) {
    report.wrong(reader.path_of("matchLabels"), "nothing", "labels of the pod template");
  }
  for (const auto& [key, value] : labels) {
    const auto found = template_labels.find(key);
    if (found != template_labels.end() && found->second == value) continue;
    report.wrong(join(reader.path_of("matchLabels"), key), in_quotes(value),
                 found == template_labels.end() ? "a label that the pod template has"
                                                : in_quotes(found->second) + " as in the template");
  }
  return labels;
}

void read_pods(ObjectReader& spec, Revision& revision, PodSpecNotes& notes) {
  Report& report = spec.report();
  if (!spec.has("template")) {
    report.wrong(spec.path_of("template"), "nothing", "a template");
    return;
  }
  ObjectReader pod = spec.object("template");
  ObjectReader metadata = pod.object("metadata");
  revision.template_labels = metadata.strings("labels");
  revision.template_annotations = metadata.strings("annotations");
  metadata.ignore({"name", "namespace", "creationTimestamp"});
  metadata.end();
  check_inject(revision.template_labels, metadata.path_of("labels"), report);
  const std::string path = metadata.path_of("annotations");
  refuse_on_template(revision.template_annotations, path, report);
  const auto own =
      read_template_annotations(revision.template_annotations, path, Unknown::refused, report);
  own.apply_to(revision);
  check_timeouts(revision.timeout, own.response_start_timeout, join(path, kResponseStartAnnotation),
                 own.idle_timeout, join(path, kIdleAnnotation), report);

  ObjectReader pod_spec = pod.object("spec");
  PodSpec read = read_pod_spec(pod_spec, notes);
  revision.container = std::move(read.container);
  revision.termination_grace = read.termination_grace;
  pod_spec.end();
  pod.end();
}

}  // namespace

void refuse_on_template(const StringMap& annotations, const std::string& path, Report& report) {
  for (const auto& [key, value] : annotations) {
    if (!key.starts_with("autoscaling.knative.dev/")) continue;
    report.wrong(join(path, key), "an annotation of the Deployment", "it in metadata.annotations");
  }
}

void refuse_on_deployment(const StringMap& annotations, Report& report) {
  for (const auto& [key, value] : annotations) {
    if (!key.starts_with("pilotlight.dev/") || is_live_annotation(key)) continue;
    report.wrong(join("metadata.annotations", key), "an annotation of the pods",
                 "it in spec.template.metadata.annotations");
  }
}

Revision read_plain_deployment(ObjectReader& root, const AutoscalerDefaults& defaults,
                               std::vector<std::string>& ignored) {
  Revision revision;
  const Metadata metadata = read_metadata(root, kLongestPlainName);
  revision.name_space = metadata.name_space;
  revision.service = metadata.name;
  revision.name = metadata.name;
  revision.deployment_name = metadata.name;
  revision.labels = metadata.labels;
  revision.annotations = metadata.annotations;
  check_inject(metadata.labels, "metadata.labels", root.report());
  refuse_on_deployment(metadata.annotations, root.report());

  ObjectReader spec = root.object("spec");
  PodSpecNotes notes;
  read_pods(spec, revision, notes);
  revision.selector = read_selector(spec, revision.template_labels);
  constexpr std::int64_t kMostReplicas = 1'000'000;
  (void)spec.integer("replicas", 0, kMostReplicas);
  if (spec.has("replicas")) notes.ignored.push_back(spec.path_of("replicas"));
  spec.ignore(
      {"strategy", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds", "paused"});
  spec.end();

  revision.policy = read_scaling_policy(revision.annotations, revision.container_concurrency,
                                        "metadata.annotations", root.report(), defaults);
  revision.container_path = notes.container_path;
  ignored = notes.ignored;
  return revision;
}

}  // namespace pilotlight::config
