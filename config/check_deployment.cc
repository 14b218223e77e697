#include "config/check_deployment.h"

#include "config/deployment_view.h"
#include "config/json_reader.h"
#include "config/manifest_kinds.h"
#include "config/template_annotations.h"

namespace pilotlight::config {
namespace {

using nlohmann::json;

void check_labels(const StringMap& pod_labels, const std::string& path, Report& report) {
  const auto found = pod_labels.find(kInjectLabel);
  if (found != pod_labels.end() && found->second == "true") return;
  report.wrong(join(path, kInjectLabel),
               found == pod_labels.end() ? "nothing" : in_quotes(found->second),
               "\"true\", as on the Deployment: its pods would have no sidecar");
}

/// A pod without the label goes by the name of its Deployment.
void check_revision(const StringMap& pod_labels, const std::string& name,
                    const std::string& revision, const std::string& path, Report& report) {
  if (revision == name || pod_labels.contains(kRevisionLabel)) return;
  report.wrong(
      join(path, kRevisionLabel), "nothing",
      in_quotes(revision) + ", as on the Deployment: its pods would be of another revision");
}

}  // namespace

Problems check_deployment(const json& deployment, const AutoscalerDefaults& defaults) {
  Report report;
  ObjectReader root(&deployment, "", report, Unknown::ignored);
  ObjectReader metadata = root.object("metadata");
  const PodOwner owner = owner_of_deployment(deployment);
  check_name(metadata.path_of("name"), owner.revision, kLongestPlainName, report);
  const StringMap annotations = metadata.strings("annotations");
  refuse_on_deployment(annotations, report);

  ObjectReader spec = root.object("spec");
  ObjectReader pod = spec.object("template");
  ObjectReader pod_metadata = pod.object("metadata");
  const StringMap pod_labels = pod_metadata.strings("labels");
  check_labels(pod_labels, pod_metadata.path_of("labels"), report);
  check_revision(pod_labels, metadata.text("name").value_or(""), owner.revision,
                 pod_metadata.path_of("labels"), report);
  const StringMap pod_annotations = pod_metadata.strings("annotations");
  refuse_on_template(pod_annotations, pod_metadata.path_of("annotations"), report);

  Report elsewhere;  // inject() reports the same, and more
  const TemplateAnnotations limits =
      read_template_annotations(pod_annotations, "", Unknown::ignored, elsewhere);
  (void)read_scaling_policy(annotations, limits.container_concurrency.value_or(0),
                            metadata.path_of("annotations"), report, defaults);
  Problems problems = report.problems();
  const json* written = spec.field("template");
  if (written == nullptr) return problems;  // the API server refuses it
  const auto injected = inject(*written, owner, InjectSettings(), spec.path_of("template"));
  if (!injected) {
    const Problems more = injected.error();
    problems.insert(problems.end(), more.begin(), more.end());
  }
  return problems;
}

}  // namespace pilotlight::config
