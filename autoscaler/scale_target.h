#pragma once

#include <cstdint>
#include <string>

#include "common/base/clock.h"
#include "common/base/error.h"

namespace pilotlight::autoscaler {

/// Where a decision goes: the Kubernetes API in the program, a fake in tests.
class ScaleTarget {
 public:
  virtual ~ScaleTarget() = default;

  /// Sets how many replicas a Deployment asks for. Errors: FlowError::not_found when there is no
  /// such Deployment, else whatever went wrong: it may be tried again.
  [[nodiscard]] virtual Task<Result<>> set_replicas(std::string name_space, std::string deployment,
                                                    std::int32_t replicas) = 0;
};

}  // namespace pilotlight::autoscaler
