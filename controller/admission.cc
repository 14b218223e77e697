#include "controller/admission.h"

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

Json mutate_service(const Json& review) {
  const Json* service = object_of(review);
  if (service == nullptr) return no_object(review);
  const Json* selector = kube::find(*service, {"spec", "selector"});
  const bool selects = selector != nullptr && selector->is_object() && !selector->empty();
  if (!selects || kube::label_of(*service, kManagedLabel) != "true") return allow(review);
  Json taken = *service;
  taken["metadata"]["annotations"][kSelectorAnnotation] = kube::to_text(*selector);
  taken["spec"].erase("selector");
  return change(review, *service, taken);
}

Json validate_deployment(const Json& review, const AdmissionRules& rules) {
  const Json* deployment = object_of(review);
  if (deployment == nullptr) return no_object(review);
  if (!config::is_injected(*deployment)) return allow(review);
  const config::Problems problems = config::check_deployment(*deployment, rules.defaults);
  if (!problems.empty()) return refuse(review, named("deployment", *deployment), problems);
  return allow(review);
}

}  // namespace pilotlight::controller
