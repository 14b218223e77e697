#pragma once

#include <vector>

#include "common/kube/json.h"

namespace pilotlight::cli {

/// What `status` of a cluster is put together from.
struct ClusterObjects {
  std::vector<kube::Json> deployments;  ///< With our label.
  std::vector<kube::Json> pods;         ///< With our label.
  std::vector<kube::Json> activators;   ///< GET /status of each that answers.
  std::vector<kube::Json> autoscalers;  ///< Likewise.
};

/// The `status -o json` document of a cluster: as that of a laptop (docs/operations.md), without
/// process ids and urls. What no admin page told is null. Pure.
[[nodiscard]] kube::Json compose_cluster_status(const ClusterObjects& objects);

}  // namespace pilotlight::cli
