#pragma once

#include <vector>

#include "common/stats/load_history.h"
#include "common/wire/frames.h"

namespace pilotlight::wire {

/// What a sender knows beside its meter.
struct Waiting {
  std::uint32_t queued = 0;  ///< Requests that wait (they are in the meter's in_flight too).
  std::uint64_t oldest_wait_us = 0;  ///< 0 when none waits.
};

/// The STATS frame of one revision. `limit`: permits of a sidecar, 0 for unlimited or an activator.
[[nodiscard]] Stats make_stats(RevisionKey revision, std::uint64_t epoch, const LoadSnapshot& load,
                               Waiting waiting, std::uint32_t limit);

/// The HISTORY of one revision up to `until`, which is what `history` was last given: at least one
/// frame, 256 seconds in each (11 kB), so that a POKE never waits long behind one.
[[nodiscard]] std::vector<Frame> make_history(const Stats& until, const LoadHistory& history);

}  // namespace pilotlight::wire
