#pragma once

#include <string>

#include "autoscaler/decision_log.h"
#include "autoscaler/subject.h"

/// How the autoscaler tells people what it decided. Pure.
namespace pilotlight::autoscaler {

/// For people: "12.3 requests at once over the last 6 s, 2.8 wanted per replica".
[[nodiscard]] std::string explain(const LoggedDecision& decision, const Subject& subject);

}  // namespace pilotlight::autoscaler
