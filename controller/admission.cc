#include "controller/admission.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "common/base/base64.h"
#include "common/kube/json.h"
#include "config/check_deployment.h"
#include "config/deployment_view.h"

namespace pilotlight::controller {
namespace {

using kube::Json;

Json answer(const Json& review, Json response) {
  response["uid"] = std::string(kube::text(review, {"request", "uid"}));
  return {{"apiVersion", "admission.k8s.io/v1"},
          {"kind", "AdmissionReview"},
          {"response", std::move(response)}};
}

Json allow(const Json& review) { return answer(review, {{"allowed", true}}); }

/// `what` names the object, as in "pod iris".
Json refuse(const Json& review, std::string_view what, const config::Problems& problems) {
  const std::string message = fmt::format("pilotlight: {}: {}", what, fmt::join(problems, "; "));
  return answer(
      review,
      {{"allowed", false},
       {"status",
        {{"status", "Failure"}, {"code", 422}, {"reason", "Invalid"}, {"message", message}}}});
}

Json change(const Json& review, const Json& before, const Json& after) {
  const Json patch = Json::diff(before, after);
  if (patch.empty()) return allow(review);
  return answer(
      review,
      {{"allowed", true}, {"patchType", "JSONPatch"}, {"patch", to_base64(kube::to_text(patch))}});
}

std::string named(const char* kind, const Json& object) {
  const std::string_view name = kube::name_of(object);
  const std::string_view prefix = kube::text(object, {"metadata", "generateName"});
  return fmt::format("{} {}", kind, name.empty() ? prefix : name);
}

const Json* object_of(const Json& review) {
  const Json* object = kube::find(review, {"request", "object"});
  return object != nullptr && object->is_object() ? object : nullptr;
}

Json no_object(const Json& review) {
  return refuse(review, "admission review", {"request.object: got nothing, expected an object"});
}

/// The map of that name, which is made if there is none.
Json& map_at(Json& object, const char* name) {
  Json& map = object[name];
  if (!map.is_object()) map = Json::object();
  return map;
}

/// What stands on a Service that has been taken over, and not on what is to replace it. A selector
/// of the new one goes before the one that was kept.
void keep_ours(Json& service, const Json& request) {
  const Json* last = kube::find(request, {"oldObject"});
  if (last == nullptr || kube::label_of(*last, kManagedLabel) != config::kTaken) return;
  Json& metadata = map_at(service, "metadata");
  map_at(metadata, "labels")[kManagedLabel] = config::kTaken;
  for (const char* name : {config::kPortAnnotation, kSelectorAnnotation}) {
    const std::string known(kube::annotation_of(*last, name));
    if (known.empty() || !kube::annotation_of(service, name).empty()) continue;
    map_at(metadata, "annotations")[name] = known;
  }
}

}  // namespace

Json mutate_pod(const Json& review, const AdmissionRules& rules) {
  const Json* pod = object_of(review);
  if (pod == nullptr) return no_object(review);
  if (!config::is_injected(*pod)) return allow(review);
  const std::string space(kube::text(review, {"request", "namespace"}));
  const auto owner = config::owner_of_pod(*pod, space);
  if (!owner) return refuse(review, named("pod", *pod), owner.error());
  const auto injected = config::inject(*pod, *owner, rules.sidecar);
  if (!injected) return refuse(review, named("pod", *pod), injected.error());
  return change(review, *pod, *injected);
}

Json mutate_service(const Json& review, std::string_view controller) {
  const Json* service = object_of(review);
  if (service == nullptr) return no_object(review);
  Json kept = *service;
  if (kube::text(review, {"request", "userInfo", "username"}) != controller) {
    keep_ours(kept, *kube::find(review, {"request"}));
  }
  const Json* selector = kube::find(kept, {"spec", "selector"});
  const bool selects = selector != nullptr && selector->is_object() && !selector->empty();
  if (selects && kube::label_of(kept, kManagedLabel) == config::kTaken) {
    map_at(kept["metadata"], "annotations")[kSelectorAnnotation] = kube::to_text(*selector);
    kept["spec"].erase("selector");
  }
  return change(review, *service, kept);
}

/// What was wrong with the object before is no reason to refuse a change: rules grow, and whoever
/// edits something else, a finalizer say, cannot help it.
void forget_old(config::Problems& problems, const Json& review,
                const config::AutoscalerDefaults& defaults) {
  const Json* old = kube::find(review, {"request", "oldObject"});
  if (problems.empty() || old == nullptr || !old->is_object() || !config::is_injected(*old)) return;
  const config::Problems known = config::check_deployment(*old, defaults);
  std::erase_if(problems, [&known](const std::string& problem) {
    return std::find(known.begin(), known.end(), problem) != known.end();
  });
}

Json validate_deployment(const Json& review, const AdmissionRules& rules) {
  const Json* deployment = object_of(review);
  if (deployment == nullptr) return no_object(review);
  if (!config::is_injected(*deployment)) return allow(review);
  if (kube::find(*deployment, {"metadata", "deletionTimestamp"}) != nullptr) return allow(review);
  config::Problems problems = config::check_deployment(*deployment, rules.defaults);
  forget_old(problems, review, rules.defaults);
  if (!problems.empty()) return refuse(review, named("deployment", *deployment), problems);
  return allow(review);
}

}  // namespace pilotlight::controller
