#pragma once

#include <cstdint>

#include "autoscaler/decider.h"
#include "common/wire/frames.h"

namespace pilotlight::autoscaler {

/// What the decider remembers of a revision, as it is left with the activators: panic, the numbers
/// of scale-down-delay, since when it is awake or idle. Everything of a DeciderState but the hold,
/// which belongs to one process. Exact to the microsecond. Pure.
[[nodiscard]] wire::Checkpoint make_checkpoint(const wire::RevisionKey& revision,
                                               std::uint64_t server_epoch,
                                               const DeciderState& state, TimePoint now);

/// When a checkpoint that arrives at `now` was taken, by our clock: on the machine that took it, or
/// after a start on it, to the microsecond; elsewhere but for the time that it has travelled.
[[nodiscard]] TimePoint taken_at(const wire::Checkpoint& checkpoint, TimePoint now);

/// The state again. Total: an age beyond 100 days counts as 100 days.
[[nodiscard]] DeciderState restore(const wire::Checkpoint& checkpoint, TimePoint taken);

}  // namespace pilotlight::autoscaler
