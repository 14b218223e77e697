#include "controller/retry_times.h"

#include <algorithm>

namespace pilotlight::controller {

void RetryTimes::failed(const Key& key, TimePoint now, std::mt19937_64& random) {
  Retry& retry = retries_[key];
  retry.at = now + retry.back_off.next(random);
}

TimePoint RetryTimes::next() const {
  TimePoint first = TimePoint::max();
  for (const auto& [key, retry] : retries_) first = std::min(first, retry.at);
  return first;
}

std::set<Key> RetryTimes::take_due(TimePoint now) {
  std::set<Key> due;
  for (auto& [key, retry] : retries_) {
    if (retry.at > now) continue;
    due.insert(key);
    retry.at = TimePoint::max();
  }
  return due;
}

}  // namespace pilotlight::controller
