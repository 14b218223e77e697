#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "autoscaler/change.h"
#include "common/base/clock.h"

namespace pilotlight::autoscaler {

/// Where a decision goes: the Kubernetes API in the program, a fake in tests.
class ScaleTarget {
 public:
  virtual ~ScaleTarget() = default;

  /// Sets how many replicas a Deployment asks for. Several calls may be under way at once. Saying
  /// the same number again does no harm, so whatever failed may be tried again.
  [[nodiscard]] virtual Task<PatchAnswer> set_replicas(std::string name_space,
                                                       std::string deployment,
                                                       std::int32_t replicas) = 0;

  /// Sets what the end of pods costs, as far as it comes within a moment: which of them goes is not
  /// worth waiting for. A target that cannot does nothing.
  [[nodiscard]] virtual Task<> set_costs(std::string name_space, std::vector<PodCost> costs);
};

}  // namespace pilotlight::autoscaler
