#include "autoscaler/collector.h"

#include <algorithm>

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kLatestUs = 750'000;  // a second waits that long for slow reporters
constexpr Duration kGaugeLife = 5s;
constexpr Duration kMemory = 10s;  // of a source that has gone
constexpr std::int64_t kLongestWindow = 3600;

std::int64_t to_us(TimePoint at) {
  return std::chrono::floor<std::chrono::microseconds>(at.time_since_epoch()).count();
}

std::int64_t floor_second(std::int64_t us) {
  const std::int64_t second = us / kSecondUs;
  return us % kSecondUs < 0 ? second - 1 : second;
}

/// What one source adds to demand, in the unit whose sum over a second is the second's value.
double growth(wire::Role role, WindowShape::Metric metric, const LoadSnapshot& from,
              const LoadSnapshot& to) {
  const bool sidecar = role == wire::Role::sidecar;  // an activator has counted the proxied part
  const auto grown = [](std::uint64_t a, std::uint64_t b) { return static_cast<double>(b - a); };
  if (metric == WindowShape::Metric::rps) {
    const double all = grown(from.arrivals, to.arrivals);
    return sidecar ? all - grown(from.proxied_arrivals, to.proxied_arrivals) : all;
  }
  double all = grown(from.concurrency_us, to.concurrency_us);
  if (sidecar) all -= grown(from.proxied_concurrency_us, to.proxied_concurrency_us);
  return all / static_cast<double>(kSecondUs);
}

bool continues(const LoadSnapshot& from, const LoadSnapshot& to) {
  return to.at_us >= from.at_us && to.concurrency_us >= from.concurrency_us &&
         to.arrivals >= from.arrivals;
}

}  // namespace

Collector::Collector(TimePoint now)
    : stable_(shape_.stable_seconds, shape_.averaging),
      panic_(shape_.panic_seconds, shape_.averaging),
      stable_wait_(shape_.stable_seconds, shape_.averaging),
      panic_wait_(shape_.panic_seconds, shape_.averaging),
      closed_(floor_second(to_us(now)) - 1) {}

void Collector::reshape(const WindowShape& shape) {
  if (shape == shape_) return;
  if (shape.metric != shape_.metric) {
    stable_ = TimeWindow(shape.stable_seconds, shape.averaging);
    panic_ = TimeWindow(shape.panic_seconds, shape.averaging);
    open_.clear();
  } else {
    stable_.reshape(shape.stable_seconds, shape.averaging);
    panic_.reshape(shape.panic_seconds, shape.averaging);
  }
  stable_wait_.reshape(shape.stable_seconds, shape.averaging);
  panic_wait_.reshape(shape.panic_seconds, shape.averaging);
  shape_ = shape;
}

void Collector::report(const SourceId& id, const wire::Stats& stats, TimePoint now) {
  const auto at_us = static_cast<std::int64_t>(stats.load.at_us);
  const std::int64_t now_us = to_us(now);
  const auto [place, added] = sources_.try_emplace(id);
  Source& source = place->second;
  const bool mark = added || !continues(source.last, stats.load);
  if (mark) {
    source.offset_us = now_us - at_us;
    if (stats.load.in_flight > 0) marked_ = floor_second(now_us);
  } else {
    // The fastest delivery tells the clocks apart best; 0.1 % of drift keeps it honest for ever.
    const std::int64_t passed_us = at_us - static_cast<std::int64_t>(source.last.at_us);
    source.offset_us = std::min(source.offset_us + passed_us / 1000, now_us - at_us);
    const double grown = growth(id.role, shape_.metric, source.last, stats.load);
    if (grown > 0) spread(source.covered_us, at_us + source.offset_us, grown);
  }
  source.covered_us = at_us + source.offset_us;
  source.last = stats.load;
  source.heard = now;
  source.connected = true;
  longest_wait_us_ = std::max(longest_wait_us_, stats.oldest_wait_us);
}

void Collector::spread(std::int64_t from_us, std::int64_t to_us, double amount) {
  from_us = std::max(from_us, to_us - kLongestWindow * kSecondUs);
  if (to_us <= from_us) return add(floor_second(to_us), amount);
  const double length = static_cast<double>(to_us - from_us);
  for (std::int64_t begin = from_us; begin < to_us;) {
    const TimeWindow::Second second = floor_second(begin);
    const std::int64_t end = std::min(to_us, (second + 1) * kSecondUs);
    add(second, amount * static_cast<double>(end - begin) / length);
    begin = end;
  }
}

void Collector::add(TimeWindow::Second second, double amount) {
  if (second > closed_) {
    open_[second] += amount;
    return;
  }
  stable_.record(second, amount);
  panic_.record(second, amount);
  zeros_ = 0;
}

void Collector::limit_waits(Duration most) {
  wait_limit_us_ = static_cast<std::uint64_t>(
      std::max<std::int64_t>(0, std::chrono::floor<std::chrono::microseconds>(most).count()));
}

void Collector::lost(const SourceId& id, TimePoint now) {
  const auto found = sources_.find(id);
  if (found == sources_.end()) return;
  found->second.connected = false;
  found->second.heard = now;
}

void Collector::advance(TimePoint now, bool known) {
  forget(now);
  const std::int64_t now_us = to_us(now);
  std::int64_t horizon_us = now_us;
  for (const auto& [id, source] : sources_) {
    if (source.connected) horizon_us = std::min(horizon_us, source.covered_us);
  }
  horizon_us = std::max(horizon_us, now_us - kLatestUs);
  const TimeWindow::Second newest = floor_second(horizon_us) - 1;
  if (newest - closed_ > kLongestWindow) {  // the loop stood still: nothing of before is left
    open_.erase(open_.begin(), open_.lower_bound(newest - kLongestWindow));
    closed_ = newest - kLongestWindow;
  }
  while (closed_ < newest) {
    ++closed_;
    if (known || open_.count(closed_) != 0) close(closed_);
  }
}

void Collector::close(TimeWindow::Second second) {
  const std::uint64_t wait_us = std::min(longest_wait_us_, wait_limit_us_);
  const double wait = static_cast<double>(wait_us) / static_cast<double>(kSecondUs);
  longest_wait_us_ = 0;
  stable_wait_.record(second, wait);
  panic_wait_.record(second, wait);
  const auto found = open_.find(second);
  const double value = found == open_.end() ? 0 : found->second;
  if (found != open_.end()) open_.erase(found);
  zeros_ = value > 0 ? 0 : zeros_ + 1;
  if (zeros_ >= stable_.length()) {
    stable_ = TimeWindow(shape_.stable_seconds, shape_.averaging);
    panic_ = TimeWindow(shape_.panic_seconds, shape_.averaging);
  }
  // Windows never begin with a second of which only the end is known, as after a restart.
  if (!stable_.last() && (value == 0 || marked_ == second)) return;
  stable_.record(second, value);
  panic_.record(second, value);
}

void Collector::forget(TimePoint now) {
  std::erase_if(sources_, [now](const auto& entry) {
    return !entry.second.connected && now - entry.second.heard > kMemory;
  });
}

std::uint32_t Collector::present(TimePoint now) const {
  std::uint32_t sum = 0;
  for (const auto& [id, source] : sources_) {
    if (source.connected && now - source.heard <= kGaugeLife) sum += source.last.in_flight;
  }
  return sum;
}

bool Collector::has_sources() const noexcept {
  return std::any_of(sources_.begin(), sources_.end(),
                     [](const auto& entry) { return entry.second.connected; });
}

}  // namespace pilotlight::autoscaler
