#pragma once

#include <string>

#include "autoscaler/decision_log.h"
#include "common/wire/frames.h"

namespace pilotlight::autoscaler {

/// A decision as one line of the decision file, without the newline: what it was about, why, the
/// number, and all that decide() was given. `text` is the reason for people. The fields are in
/// docs/autoscaling.md; they are only ever added. Pure.
[[nodiscard]] std::string decision_json(const wire::RevisionKey& revision,
                                        const std::string& service, const LoggedDecision& logged,
                                        const std::string& text);

}  // namespace pilotlight::autoscaler
