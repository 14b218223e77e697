// Collector's other half: what its sources measured before this process began.

#include <algorithm>

#include "autoscaler/collector.h"

namespace pilotlight::autoscaler {

void Collector::history(const SourceId& id, const wire::History& history, TimePoint now) {
  const auto [place, added] = sources_.try_emplace(id);
  Source& source = place->second;
  if (source.counted) return;  // all that was before is here already
  // Another `until` is another telling, and that one is whole.
  if (added || source.last != history.until.load) source.before.clear();
  mark(source, history.until.load, now);
  const bool rps = shape_.metric == WindowShape::Metric::rps;
  const auto newest = floor_second(static_cast<std::int64_t>(history.until.load.at_us));
  for (const wire::HistoryBucket& bucket : history.buckets) {
    if (bucket.age > wire::History::kOldest) continue;
    Load& load = source.before[newest - bucket.age];
    load.all = rps ? bucket.arrivals_u : bucket.concurrency_us;
    load.proxied = rps ? bucket.proxied_arrivals_u : bucket.proxied_concurrency_us;
    load.time_us = bucket.concurrency_us;
    load.proxied_time_us = bucket.proxied_concurrency_us;
    load.wait_us = bucket.longest_wait_us;
  }
}

void Collector::history_end(const SourceId& id) {
  const auto found = sources_.find(id);
  if (found == sources_.end() || found->second.counted) return;
  Source& source = found->second;
  source.counted = true;
  for (const auto& [second, load] : source.before) {
    const std::int64_t begin_us = second * kSecondUs + source.offset_us;
    const std::int64_t end_us = std::min(begin_us + kSecondUs, source.covered_us);
    count(id.role, begin_us, end_us, load);
    note_wait(end_us, load.wait_us);
    // Histories end at different moments: what each of them has is older than this process.
    if (floor_second(end_us) >= closed_) continue;
    if (id.role == wire::Role::sidecar) {
      replayed_proxied_u_ += static_cast<double>(load.proxied);
    } else {
      replayed_sent_u_ += static_cast<double>(load.all);
    }
  }
  source.before.clear();
}

void Collector::begin() {
  if (!awaiting_) return;
  awaiting_ = false;
  look_again_us_ = 0;
  if (!open_.empty()) closed_ = std::min(closed_, open_.begin()->first - 1);
}

bool Collector::senders_known() const noexcept {
  constexpr double kRounding = 1e6;  // a request-second, for meters that are read in turn
  return replayed_sent_u_ * 1.01 + kRounding >= replayed_proxied_u_;
}

}  // namespace pilotlight::autoscaler
