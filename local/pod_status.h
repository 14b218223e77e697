#pragma once

#include <string>

#include "common/kube/json.h"
#include "local/replica.h"

namespace pilotlight::local {

/// `status` of a Pod as kubelet would write it, for one replica: phase, podIP, conditions and the
/// containers user-container and queue-proxy with restartCount, state and lastState. The last
/// failure stays in lastState.terminated (exitCode, message = its last lines) and, while the
/// replica is not ready, in the message of the condition Ready, where the activator finds the cause
/// to quote. Pure; `since` is the timestamp for what is new.
[[nodiscard]] kube::Json pod_status(const ReplicaSpec& spec, const ReplicaFacts& facts,
                                    const std::string& since);

/// `status` of a Pod that could not be started at all.
[[nodiscard]] kube::Json failed_pod_status(const std::string& reason, const std::string& message);

}  // namespace pilotlight::local
