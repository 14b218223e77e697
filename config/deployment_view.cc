#include "config/deployment_view.h"

#include <fmt/format.h>

#include "config/json_reader.h"
#include "config/revision.h"
#include "config/template_annotations.h"

namespace pilotlight::config {
namespace {

using nlohmann::json;

std::string label_or(const StringMap& labels, const char* key, const std::string& fallback) {
  const auto found = labels.find(key);
  return found == labels.end() || found->second.empty() ? fallback : found->second;
}

/// `default/iris: ` for messages, from whatever is there.
std::string name_for_messages(const json& deployment) {
  std::string out = "deployment";
  if (!deployment.is_object()) return out;
  const auto metadata = deployment.find("metadata");
  if (metadata == deployment.end() || !metadata->is_object()) return out;
  const auto text = [&](const char* key) {
    const auto found = metadata->find(key);
    return found != metadata->end() && found->is_string() ? found->get<std::string>() : "";
  };
  return fmt::format("{} {}/{}", out, text("namespace"), text("name"));
}

}  // namespace

bool is_injected(const json& object) noexcept {
  if (!object.is_object()) return false;
  const auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object()) return false;
  const auto labels = metadata->find("labels");
  if (labels == metadata->end() || !labels->is_object()) return false;
  const auto inject = labels->find(kInjectLabel);
  return inject != labels->end() && inject->is_string() &&
         inject->get_ref<const std::string&>() == "true";
}

Checked<DeploymentView> view_deployment(const json& deployment) {
  Report report([name = name_for_messages(deployment)](const std::string&) { return name; });
  constexpr std::int64_t kMostReplicas = 1'000'000;
  DeploymentView view;
  ObjectReader root(&deployment, "", report, Unknown::ignored);

  ObjectReader metadata = root.object("metadata");
  view.name_space = metadata.text("namespace").value_or("default");
  view.deployment_name = metadata.needed_text("name", "the name of the Deployment");
  view.uid = metadata.text("uid").value_or("");
  view.resource_version = metadata.text("resourceVersion").value_or("");
  view.deleting = metadata.has("deletionTimestamp");
  view.annotations = metadata.strings("annotations");
  const StringMap labels = metadata.strings("labels");
  view.service = label_or(labels, kServiceLabel, view.deployment_name);
  view.revision = label_or(labels, kRevisionLabel, view.deployment_name);

  ObjectReader spec = root.object("spec");
  view.replicas =
      static_cast<std::uint32_t>(spec.integer("replicas", 0, kMostReplicas).value_or(1));
  ObjectReader pod = spec.object("template");
  ObjectReader pod_metadata = pod.object("metadata");
  view.template_labels = pod_metadata.strings("labels");
  view.template_annotations = pod_metadata.strings("annotations");
  const TemplateAnnotations values = read_template_annotations(
      view.template_annotations, pod_metadata.path_of("annotations"), Unknown::ignored, report);
  values.apply_to(view);
  view.manifest_folder = values.folder;

  ObjectReader status = root.object("status");
  view.ready_replicas =
      static_cast<std::uint32_t>(status.integer("readyReplicas", 0, kMostReplicas).value_or(0));
  if (!report.problems().empty()) return report.problems();
  return view;
}

}  // namespace pilotlight::config
