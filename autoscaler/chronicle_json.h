#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "autoscaler/change.h"
#include "autoscaler/cold_start.h"
#include "autoscaler/pod_view.h"
#include "autoscaler/refusals.h"
#include "autoscaler/registry.h"

/// The lines of the decision file that are no decisions: fields of each event, which only ever
/// grow. docs/autoscaling.md lists them. Pure.
namespace pilotlight::autoscaler {

[[nodiscard]] nlohmann::json patch_fields(const PatchOutcome& outcome);
[[nodiscard]] nlohmann::json phase_fields(const std::string& replica, std::string_view phase);
[[nodiscard]] nlohmann::json ready_fields(const ReplicaRecord& replica);
[[nodiscard]] nlohmann::json exited_fields(const PodView& pod);
[[nodiscard]] nlohmann::json cold_start_fields(const ColdStart& story);
[[nodiscard]] nlohmann::json refusal_fields(const RefusalSummary& summary);

/// A wake that a request gave up waiting for. `replica`: the newest Pod of it, if one is known;
/// `running`: since when its app runs without being ready.
[[nodiscard]] nlohmann::json wake_failed_fields(const wire::Woken& woken, const PodView* replica,
                                                std::optional<Duration> running);

/// What is wrong with a pod that is broken: "CrashLoopBackOff: app exited with 1 (Error)".
[[nodiscard]] std::string broken_text(const PodView& pod);

/// Why there will not be more replicas, when a PATCH that asks for more is refused or keeps
/// failing: "the API does not take 2 replicas: ... (HTTP 403)". "" for other outcomes.
[[nodiscard]] std::string not_taken_text(const PatchOutcome& outcome);

/// "HorizontalPodAutoscaler x scales this Deployment, pilotlight leaves it alone".
[[nodiscard]] std::string left_alone_text(const std::string& who);

}  // namespace pilotlight::autoscaler
