#include "common/wire/report.h"

#include <utility>

#include "common/stats/growth.h"

namespace pilotlight::wire {
namespace {

constexpr std::size_t kSecondsPerFrame = 256;

}  // namespace

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

std::vector<Frame> make_history(const Stats& until, const LoadHistory& history) {
  const std::int64_t newest = floor_second(static_cast<std::int64_t>(until.load.at_us));
  std::vector<Frame> frames;
  History frame;
  frame.until = until;
  for (const LoadSecond& second : history.seconds()) {
    const std::int64_t age = newest - second.second;
    if (age < 0 || age > History::kOldest) continue;
    if (frame.buckets.size() == kSecondsPerFrame) {
      frames.emplace_back(frame);
      frame.buckets.clear();
    }
    HistoryBucket& bucket = frame.buckets.emplace_back();
    bucket.age = static_cast<std::uint16_t>(age);
    bucket.concurrency_us = second.concurrency_us;
    bucket.proxied_concurrency_us = second.proxied_concurrency_us;
    bucket.arrivals_u = second.arrivals_u;
    bucket.proxied_arrivals_u = second.proxied_arrivals_u;
    bucket.longest_wait_us = second.longest_wait_us;
  }
  frames.emplace_back(std::move(frame));
  return frames;
}

}  // namespace pilotlight::wire
