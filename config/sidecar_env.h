#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/container.h"
#include "config/deployment_view.h"

namespace pilotlight::config {

/// What only whoever starts the pod knows. Empty strings are left to the sidecar's defaults.
struct PodFacts {
  std::string name;
  std::string ip;
  std::uint16_t user_port = 8080;  ///< Where the app listens, on loopback.
  std::uint16_t serving_port = 8012;
  std::string autoscaler;     ///< `ip:port`
  std::string autoscaler_ca;  ///< PEM
  std::string token_file;
  std::string listen_address;  ///< PILOTLIGHT_LISTEN_ADDRESS
  std::string admin_listen;    ///< `ip:port`
  std::string stats_listen;    ///< `ip:port`
  std::string log_level;
};

/// The whole environment of pilotlight-proxy for one pod, in a fixed order, with every name that
/// Knative always sets. Pure; load_proxy_config() accepts the result.
[[nodiscard]] std::vector<EnvVar> sidecar_env(const DeploymentView& deployment,
                                              const Container& container, const PodFacts& pod);

/// The container's readiness probe as Knative's controller hands it to the sidecar: host 127.0.0.1;
/// no port, the declared port or its name become the app's port; exec, grpc and none become a TCP
/// probe;
/// scheme HTTP; timeout 1 with a period. One JSON object.
[[nodiscard]] std::string sidecar_probe(const Container& container, std::uint16_t user_port);

}  // namespace pilotlight::config
