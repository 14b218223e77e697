#pragma once

#include <nlohmann/json.hpp>

#include "config/autoscaler_defaults.h"
#include "config/inject.h"
#include "config/problems.h"

namespace pilotlight::config {

/// Everything that is wrong with a Deployment of a cluster that asks for the sidecar: names that
/// are too long, a missing label, one of another's revision, annotations in the wrong place or with
/// a bad value, pods that cannot have a sidecar. Empty: it will run. One line each, `path: got X,
/// expected Y`. Looks at nothing that the API server checks itself.
[[nodiscard]] Problems check_deployment(const nlohmann::json& deployment,
                                        const AutoscalerDefaults& defaults);

}  // namespace pilotlight::config
