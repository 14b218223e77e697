#pragma once

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

}  // namespace pilotlight::wire
