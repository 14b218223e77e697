#pragma once

#include <istream>
#include <string>

#include "autoscaler/replay.h"
#include "config/problems.h"

/// Recorded runs as JSON lines.
namespace pilotlight::autoscaler {

/// Reads a run. Problems are `file:line: path: got X, expected Y`; reading stops at the first bad
/// line, since what follows depends on it.
[[nodiscard]] config::Checked<Trace> read_trace(std::istream& in, const std::string& file);

/// One line of what was decided, as the files have it.
[[nodiscard]] std::string decision_line(const TraceTick& tick, const Decision& decision);
/// The recorded answer in the same form.
[[nodiscard]] std::string answer_line(const TraceTick& tick);
/// What the decision was taken from, under the rules of the run.
[[nodiscard]] std::string inputs_line(const TraceRules& rules, const TraceTick& tick,
                                      const Decision& decision);

}  // namespace pilotlight::autoscaler
