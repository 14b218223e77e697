#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

#include "config/autoscaler_defaults.h"
#include "config/inject.h"
#include "config/managed_service.h"

namespace pilotlight::controller {

/// What the webhooks need to know.
struct AdmissionRules {
  config::InjectSettings sidecar;
  config::AutoscalerDefaults defaults;
};

using config::kManagedLabel;
using config::kSelectorAnnotation;

/// The webhooks, each of which answers an AdmissionReview (admission.k8s.io/v1) by one. Pure and
/// total: what is not a review is answered with one that allows nothing.

/// Pods with our label get the sidecar, or are refused with every reason against it.
[[nodiscard]] nlohmann::json mutate_pod(const nlohmann::json& review, const AdmissionRules& rules);

/// Services that have been taken over stay so when somebody applies their manifest again, or puts
/// it in the place of what there is: label and annotations of ours stay, and the selector moves to
/// its annotation before it takes effect. `controller` is the user who gives Services back.
[[nodiscard]] nlohmann::json mutate_service(const nlohmann::json& review,
                                            std::string_view controller);

/// Deployments with our label are refused with the full list of what is wrong with them.
[[nodiscard]] nlohmann::json validate_deployment(const nlohmann::json& review,
                                                 const AdmissionRules& rules);

}  // namespace pilotlight::controller
