#pragma once

#include <string>

#include "common/kube/access.h"
#include "config/problems.h"

namespace pilotlight::config {

/// What a program was told of the API server, and what its environment says.
struct ApiFlags {
  std::string url;           ///< --kube
  std::string kubeconfig;    ///< --kubeconfig
  std::string token_file;    ///< --token-file, with --kube only
  std::string service_host;  ///< $KUBERNETES_SERVICE_HOST, "" when unset
  std::string service_port;  ///< $KUBERNETES_SERVICE_PORT, "" when unset
  std::string service_account{kube::kServiceAccountFolder};
};

/// The URL if there is one, else the kubeconfig, else the cluster that this process runs in.
/// Problems begin with the flag or variable that is at fault.
[[nodiscard]] Checked<kube::Access> find_api(const ApiFlags& flags);

}  // namespace pilotlight::config
