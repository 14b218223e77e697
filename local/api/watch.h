#pragma once

#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/control/server.h"
#include "local/api/selector.h"
#include "local/api/store.h"
#include "local/api/target.h"

namespace pilotlight::local {

/// Streams changes as Kubernetes' watch does: one JSON object a line, ADDED, MODIFIED, DELETED,
/// BOOKMARK (every minute, if asked for), and ERROR with a Status of code 410 when the history
/// does not reach back to the version asked for. Without a version (or "0") it begins with ADDED
/// for all there is. Ends at timeoutSeconds, when the peer leaves, or when `stopping` becomes true
/// and the task is cancelled. A peer that reads slowly costs no memory: it reads from the history.
[[nodiscard]] Task<> watch(ApiStore& store, Clock& clock, const bool& stopping, Target target,
                           const control::Request& request, control::Reply& reply);

/// The line that `change` is for a watcher with this selector; "" when it does not concern it. An
/// object that begins to match is ADDED, one that stops to match is DELETED. Pure.
[[nodiscard]] std::string watch_line(const Change& change, const Selector& selector);

}  // namespace pilotlight::local
