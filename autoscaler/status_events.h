#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

#include "autoscaler/registry.h"
#include "autoscaler/scaler.h"

/// The fields of the events that `GET /events` tells. Pure.
namespace pilotlight::autoscaler {

[[nodiscard]] nlohmann::json decision_event(const wire::RevisionKey& revision, const Change& change,
                                            TimePoint patched_at);
[[nodiscard]] nlohmann::json ready_event(const wire::RevisionKey& revision,
                                         const ReplicaRecord& replica, TimePoint now);
[[nodiscard]] nlohmann::json not_ready_event(const wire::RevisionKey& revision,
                                             const ReplicaRecord& replica, std::string_view reason);

}  // namespace pilotlight::autoscaler
