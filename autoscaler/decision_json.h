#pragma once

#include <string>

#include "autoscaler/decision_log.h"
#include "common/wire/frames.h"
#include "config/problems.h"

namespace pilotlight::autoscaler {

/// A decision as one line of the decision file, without the newline: what it was about, why, the
/// number, and all that decide() was given. `text` is the reason for people. The fields are in
/// docs/autoscaling.md; they are only ever added. Pure.
[[nodiscard]] std::string decision_json(const wire::RevisionKey& revision,
                                        const std::string& service, const LoggedDecision& logged,
                                        const std::string& text);

/// Reads such a line back: decide() over it gives the decision in it again. Problems are
/// `where: path: got X, expected Y`. Instants are exact to the nanosecond within 100 days.
[[nodiscard]] config::Checked<LoggedDecision> read_decision(const std::string& line,
                                                            const std::string& where);

/// Whether two decisions are the same, averages to the bit (two that are no number are the same).
[[nodiscard]] bool same(const Decision& a, const Decision& b) noexcept;

}  // namespace pilotlight::autoscaler
