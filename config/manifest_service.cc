// The Knative Service (serving.knative.dev/v1) and its fields.

#include <fmt/format.h>

#include "config/manifest_kinds.h"
#include "config/pod_spec_reader.h"
#include "config/template_annotations.h"

namespace pilotlight::config {
namespace {

// `<name>-00001-private` must still be the name of an object that is also a label: 63 characters.
constexpr std::size_t kLongestName = 49;

/// What belongs to a revision has no effect on the Service: Knative refuses it there, and so do we.
void refuse_on_service(const StringMap& annotations, Report& report) {
  for (const auto& [key, value] : annotations) {
    if (!key.starts_with("autoscaling.knative.dev/") && !key.starts_with("pilotlight.dev/"))
      continue;
    if (is_live_annotation(key)) continue;
    report.wrong(join("metadata.annotations", key), "an annotation of a revision",
                 "it in spec.template.metadata.annotations");
  }
}

/// One row of traffic, all to the newest revision: there is only one revision here.
void read_traffic(ObjectReader& spec) {
  const auto& rows = spec.list("traffic");
  const auto at = [&](std::size_t i) { return join(spec.path_of("traffic"), i); };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ObjectReader row(&rows[i], at(i), spec.report(), spec.unknown());
    const auto latest = row.boolean("latestRevision");
    const auto percent = row.integer("percent", 0, 100);
    if ((latest && !*latest) || (percent && *percent != 100)) {
      spec.report().wrong(at(i), "a share of the traffic",
                          "all of it to the latest revision: a manifest has one revision here");
    }
    row.refuse("revisionName", "latestRevision: true");
    row.refuse("tag", "no tags: hosts of tags are not routed yet");
    row.ignore({"configurationName", "url"});
    row.end();
  }
  if (rows.size() > 1) {
    spec.report().wrong(spec.path_of("traffic"), fmt::format("{} rows", rows.size()), "one row");
  }
}

void read_template_metadata(ObjectReader& pod, Revision& revision) {
  ObjectReader reader = pod.object("metadata");
  if (const auto name = reader.text("name")) {
    check_name(reader.path_of("name"), *name, kLongestName + 6, pod.report());
    if (!name->starts_with(revision.service + "-")) {
      pod.report().wrong(
          reader.path_of("name"), in_quotes(*name),
          fmt::format("a name that begins with {}", in_quotes(revision.service + "-")));
    }
    revision.name = *name;
  }
  revision.template_labels = reader.strings("labels");
  revision.template_annotations = reader.strings("annotations");
  reader.ignore({"namespace", "creationTimestamp"});
  reader.end();
}

/// Limits of the spec, which is where a Service has them; the annotations are for Deployments.
void read_limits(ObjectReader& spec, Revision& revision) {
  const auto seconds = [&](const char* key) -> std::optional<std::chrono::seconds> {
    const auto value = spec.integer(key, 0, kMostTimeoutSeconds);
    if (!value || *value == 0) return std::nullopt;
    return std::chrono::seconds(*value);
  };
  revision.container_concurrency = static_cast<std::uint32_t>(
      spec.integer("containerConcurrency", 0, kMostConcurrency).value_or(0));
  const auto timeout = spec.integer("timeoutSeconds", 1, kMostTimeoutSeconds);
  if (timeout) revision.timeout = std::chrono::seconds(*timeout);
  revision.response_start_timeout = seconds("responseStartTimeoutSeconds");
  revision.idle_timeout = seconds("idleTimeoutSeconds");
  check_timeouts(revision.timeout, revision.response_start_timeout,
                 spec.path_of("responseStartTimeoutSeconds"), revision.idle_timeout,
                 spec.path_of("idleTimeoutSeconds"), spec.report());
}

/// Knative's annotations are on the template, at `path`; ours on the Service itself.
void read_scaling(Revision& revision, const StringMap& on_service, const std::string& path,
                  const AutoscalerDefaults& defaults, Report& report) {
  revision.annotations = revision.template_annotations;
  for (const auto& [key, value] : on_service) {
    if (is_live_annotation(key)) revision.annotations[key] = value;
  }
  revision.policy = read_scaling_policy(revision.annotations, revision.container_concurrency, path,
                                        report, defaults);
}

void read_annotations(Revision& revision, const std::string& path, Report& report) {
  for (const char* key : {kConcurrencyAnnotation, kTimeoutAnnotation, kResponseStartAnnotation,
                          kIdleAnnotation, kFolderAnnotation}) {
    if (!revision.template_annotations.contains(key)) continue;
    report.wrong(join(path, key), "an annotation of plain Deployments",
                 "the field of spec.template.spec");
    revision.template_annotations.erase(key);
  }
  const auto own =
      read_template_annotations(revision.template_annotations, path, Unknown::refused, report);
  revision.hold_permit_until_answered = own.hold_permit_until_answered;
}

void add_labels(StringMap& labels, const Revision& revision) {
  labels[kServiceLabel] = revision.service;
  labels[kRevisionLabel] = revision.name;
  labels[kInjectLabel] = "true";
}

}  // namespace

Revision read_service(ObjectReader& root, const AutoscalerDefaults& defaults,
                      std::vector<std::string>& ignored, Unknown pod_fields) {
  Revision revision;
  const Metadata metadata = read_metadata(root, kLongestName);
  refuse_on_service(metadata.annotations, root.report());
  revision.name_space = metadata.name_space;
  revision.service = metadata.name;
  revision.name = metadata.name + "-00001";

  ObjectReader spec = root.object("spec");
  if (!spec.has("template")) root.report().wrong("spec.template", "nothing", "a template");
  ObjectReader pod = spec.object("template");
  read_template_metadata(pod, revision);
  ObjectReader pod_spec(pod.field("spec"), pod.path_of("spec"), root.report(), pod_fields);
  read_limits(pod_spec, revision);
  const std::string template_path = join(pod.path_of("metadata"), "annotations");
  read_annotations(revision, template_path, root.report());
  read_scaling(revision, metadata.annotations, template_path, defaults, root.report());
  PodSpecNotes notes;
  if (pod.has("spec") || !spec.has("template")) {
    pod_spec.refuse("terminationGracePeriodSeconds",
                    "timeoutSeconds, which bounds a Service's end");
    if (spec.has("template")) revision.container = read_pod_spec(pod_spec, notes).container;
  } else {
    root.report().wrong(pod.path_of("spec"), "nothing", "the spec of a pod");
  }
  pod_spec.end();
  pod.end();
  read_traffic(spec);
  spec.end();

  if (revision.container.ports.size() > 1) {
    root.report().wrong(join(notes.container_path, "ports"),
                        fmt::format("{} ports", revision.container.ports.size()),
                        "one port: the one that takes the requests");
  }
  revision.container_path = notes.container_path;
  revision.container_index = notes.container_index;
  ignored = notes.ignored;
  revision.deployment_name = revision.name + "-deployment";
  revision.termination_grace = revision.timeout;
  revision.labels = metadata.labels;
  add_labels(revision.labels, revision);
  add_labels(revision.template_labels, revision);
  revision.selector = {{kRevisionLabel, revision.name}};
  return revision;
}

}  // namespace pilotlight::config
