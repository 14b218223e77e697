#include "common/stats/load_history.h"

#include <algorithm>

#include "common/stats/growth.h"

namespace pilotlight {

/// Seconds come in order, so it is the last one or a new one.
LoadSecond& LoadHistory::at(std::int64_t second) {
  if (seconds_.empty() || seconds_.back().second < second) {
    seconds_.emplace_back().second = second;
  }
  return seconds_.back();
}

void LoadHistory::record(const LoadSnapshot& load, std::uint64_t longest_wait_us) {
  const auto to_us = static_cast<std::int64_t>(load.at_us);
  if (last_ && continues(*last_, load)) grow(*last_, load);
  last_ = load;
  if (longest_wait_us > 0) {
    LoadSecond& reported = at(floor_second(to_us - 1));
    reported.longest_wait_us = std::max(reported.longest_wait_us, longest_wait_us);
  }
  const std::int64_t oldest = floor_second(to_us) - kSeconds;
  while (!seconds_.empty() && seconds_.front().second <= oldest) seconds_.pop_front();
}

void LoadHistory::grow(const LoadSnapshot& from, const LoadSnapshot& to) {
  const std::uint64_t concurrency_us = to.concurrency_us - from.concurrency_us;
  const std::uint64_t proxied_us = to.proxied_concurrency_us - from.proxied_concurrency_us;
  const std::uint64_t arrivals_u = (to.arrivals - from.arrivals) * kMillion;
  const std::uint64_t proxied_u = (to.proxied_arrivals - from.proxied_arrivals) * kMillion;
  if (concurrency_us == 0 && arrivals_u == 0) return;
  const auto to_us = static_cast<std::int64_t>(to.at_us);
  const auto from_us =
      std::max(static_cast<std::int64_t>(from.at_us), to_us - kSeconds * kSecondUs);
  for_each_second(from_us, to_us, [&](const SecondPiece& piece) {
    LoadSecond& second = at(piece.second);
    second.concurrency_us += piece.part_of(concurrency_us);
    second.proxied_concurrency_us += piece.part_of(proxied_us);
    second.arrivals_u += piece.part_of(arrivals_u);
    second.proxied_arrivals_u += piece.part_of(proxied_u);
  });
}

}  // namespace pilotlight
