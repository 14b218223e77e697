#include "common/wire/report.h"

#include <utility>

namespace pilotlight::wire {

Stats make_stats(RevisionKey revision, std::uint64_t epoch, const LoadSnapshot& load,
                 Waiting waiting, std::uint32_t limit) {
  Stats stats;
  stats.revision = std::move(revision);
  stats.epoch = epoch;
  stats.queued = waiting.queued;
  stats.oldest_wait_us = waiting.oldest_wait_us;
  stats.limit = limit;
  stats.load = load;
  return stats;
}

}  // namespace pilotlight::wire
