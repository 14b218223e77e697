#include "autoscaler/rivals.h"

#include <string_view>

namespace pilotlight::autoscaler {
namespace {

constexpr std::string_view kScaledObject = "scaledobject.keda.sh/name";

Rivals::Name name_of(const kube::Json& object) {
  return {std::string(kube::namespace_of(object)), std::string(kube::name_of(object))};
}

/// Of whatever version, as the HorizontalPodAutoscaler's controller takes it.
bool is_deployment(const kube::Json& autoscaler) {
  const std::string_view version = kube::text(autoscaler, {"spec", "scaleTargetRef", "apiVersion"});
  return kube::text(autoscaler, {"spec", "scaleTargetRef", "kind"}) == "Deployment" &&
         version.starts_with("apps/");
}

std::string who_is(const kube::Json& autoscaler) {
  const std::string_view scaled_object = kube::label_of(autoscaler, kScaledObject);
  if (!scaled_object.empty()) return "KEDA ScaledObject " + std::string(scaled_object);
  return "HorizontalPodAutoscaler " + std::string(kube::name_of(autoscaler));
}

}  // namespace

Rivals::Name Rivals::forget(const Name& autoscaler) {
  const auto known = targets_.extract(autoscaler);
  if (!known) return {};
  const auto target = by_target_.find(known.mapped());
  target->second.erase(autoscaler.second);
  if (target->second.empty()) by_target_.erase(target);
  return known.mapped();
}

Rivals::Touched Rivals::applied(const kube::Json& autoscaler) {
  const Name name = name_of(autoscaler);
  Touched touched;
  touched.before = forget(name);
  if (!is_deployment(autoscaler)) return touched;
  touched.after = {name.first,
                   std::string(kube::text(autoscaler, {"spec", "scaleTargetRef", "name"}))};
  by_target_[touched.after][name.second] = who_is(autoscaler);
  targets_[name] = touched.after;
  if (touched.before == touched.after) touched.before = {};
  return touched;
}

Rivals::Touched Rivals::removed(const kube::Json& autoscaler) {
  Touched touched;
  touched.before = forget(name_of(autoscaler));
  return touched;
}

std::string Rivals::of(const Name& deployment) const {
  const auto found = by_target_.find(deployment);
  return found == by_target_.end() ? std::string() : found->second.begin()->second;
}

}  // namespace pilotlight::autoscaler
