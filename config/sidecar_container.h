#pragma once

#include <cstdint>

#include <nlohmann/json.hpp>

#include "config/container.h"
#include "config/deployment_view.h"
#include "config/inject.h"

namespace pilotlight::config {

/// The sidecar as a native sidecar of a pod: core/v1 Container JSON. `container` is the one that
/// takes the requests, at `user_port`; `others` have readiness probes that must pass too.
[[nodiscard]] nlohmann::json sidecar_container(const DeploymentView& view,
                                               const Container& container,
                                               const std::vector<Container>& others,
                                               const InjectSettings& settings);

/// The volume with the token that the sidecar shows to the autoscaler.
[[nodiscard]] nlohmann::json token_volume();

/// `lifecycle.preStop` of a container that waits until the sidecar has drained.
[[nodiscard]] nlohmann::json drain_hook();

}  // namespace pilotlight::config
