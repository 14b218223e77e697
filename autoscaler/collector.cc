#include "autoscaler/collector.h"

#include <algorithm>

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kLatestUs = 750'000;  // a second waits that long for slow reporters
constexpr std::int64_t kOneClockUs = 100'000;
constexpr Duration kGaugeLife = 5s;
constexpr Duration kMemory = 10s;  // of a source that has gone
constexpr std::int64_t kLongestWindow = 3600;

std::int64_t to_us(TimePoint at) {
  return std::chrono::floor<std::chrono::microseconds>(at.time_since_epoch()).count();
}

/// Our clock minus theirs. On one machine all have the same clock, and what is left is the way:
/// their seconds are then ours, to the digit.
std::int64_t offset_between(std::int64_t now_us, std::int64_t at_us) {
  const std::int64_t offset_us = now_us - at_us;
  return offset_us >= 0 && offset_us < kOneClockUs ? 0 : offset_us;
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
    balance_ = SenderBalance();
  } else {
    stable_.reshape(shape.stable_seconds, shape.averaging);
    panic_.reshape(shape.panic_seconds, shape.averaging);
  }
  stable_wait_.reshape(shape.stable_seconds, shape.averaging);
  panic_wait_.reshape(shape.panic_seconds, shape.averaging);
  shape_ = shape;
}

void Collector::spread(Duration more) noexcept { rest_us_ += to_us(TimePoint(more)); }

void Collector::report(const SourceId& id, const wire::Stats& stats, TimePoint now) {
  const auto at_us = static_cast<std::int64_t>(stats.load.at_us);
  const std::int64_t now_us = to_us(now);
  const auto [place, added] = sources_.try_emplace(id);
  Source& source = place->second;
  if (added || !continues(source.last, stats.load)) {
    mark(source, stats.load, now);
    if (stats.load.in_flight > 0) marked_ = floor_second(now_us);
  } else {
    // The fastest delivery tells the clocks apart best; 0.1 % of drift keeps it honest for ever.
    const std::int64_t passed_us = at_us - static_cast<std::int64_t>(source.last.at_us);
    source.offset_us = std::min(source.offset_us + passed_us / 1000, offset_between(now_us, at_us));
    const bool rps = shape_.metric == WindowShape::Metric::rps;
    const LoadSnapshot& last = source.last;
    Load grown;
    grown.all = rps ? (stats.load.arrivals - last.arrivals) * kMillion
                    : stats.load.concurrency_us - last.concurrency_us;
    grown.proxied = rps ? (stats.load.proxied_arrivals - last.proxied_arrivals) * kMillion
                        : stats.load.proxied_concurrency_us - last.proxied_concurrency_us;
    grown.time_us = stats.load.concurrency_us - last.concurrency_us;
    grown.proxied_time_us = stats.load.proxied_concurrency_us - last.proxied_concurrency_us;
    count(id.role, source.covered_us, at_us + source.offset_us, grown);
    source.rests = stats.load.in_flight == 0 && stats.load.arrivals == last.arrivals &&
                   stats.load.concurrency_us == last.concurrency_us;
    source.counted = true;
    source.before.clear();
  }
  source.covered_us = at_us + source.offset_us;
  source.last = stats.load;
  source.heard = now;
  source.connected = true;
  heard_of(source);
  note_wait(source.covered_us, stats.oldest_wait_us);
}

void Collector::mark(Source& source, const LoadSnapshot& load, TimePoint now) {
  const auto at_us = static_cast<std::int64_t>(load.at_us);
  source.offset_us = offset_between(to_us(now), at_us);
  source.covered_us = at_us + source.offset_us;
  source.last = load;
  source.heard = now;
  source.rests = false;
  source.connected = true;
  heard_of(source);
}

/// What one source adds to demand between two instants of ours.
void Collector::count(wire::Role role, std::int64_t from_us, std::int64_t until_us,
                      const Load& grown) {
  if (grown.all == 0 && grown.time_us == 0) return;
  const bool sidecar = role == wire::Role::sidecar;
  from_us = std::max(from_us, until_us - kLongestWindow * kSecondUs);
  for_each_second(from_us, until_us, [&](const SecondPiece& piece) {
    const auto all = static_cast<double>(piece.part_of(grown.all));
    SenderBalance::Flow flow;
    if (!sidecar) {
      flow.sent_time_u = static_cast<double>(piece.part_of(grown.time_us));
      flow.gap_u = -all;
      return add(piece.second, all, flow);
    }
    // An activator has counted what it sent; of a sidecar the rest is new.
    flow.gap_u = static_cast<double>(piece.part_of(grown.proxied));
    flow.proxied_time_u = static_cast<double>(piece.part_of(grown.proxied_time_us));
    add(piece.second, all - flow.gap_u, flow);
  });
}

void Collector::add(TimeWindow::Second second, double demand_u, const SenderBalance::Flow& flow) {
  if (awaiting_ || second > closed_) {
    Open& open = open_[second];
    open.demand_u += demand_u;
    open.flow += flow;
    return;
  }
  demand_u -= balance_.late(second, flow, std::max(0.0, -flow.gap_u));
  if (demand_u != 0) add_late(second, demand_u);
}

void Collector::add_late(TimeWindow::Second second, double demand_u) {
  if (on_second_) on_second_(second, demand_u / 1e6, true);
  stable_.record(second, demand_u / 1e6);
  panic_.record(second, demand_u / 1e6);
  zeros_ = 0;
}

/// A wait that was seen at `until_us` belongs to the second that ended then, or went on.
void Collector::note_wait(std::int64_t until_us, std::uint64_t wait_us) {
  const TimeWindow::Second second = floor_second(until_us - 1);
  if (wait_us == 0 || (!awaiting_ && second <= closed_)) return;
  Open& open = open_[second];
  open.wait_us = std::max(open.wait_us, wait_us);
}

void Collector::limit_waits(std::optional<TimePoint> ready_since) {
  waits_limited_ = true;
  ready_since_ = ready_since;
}

void Collector::lost(const SourceId& id, TimePoint now) {
  const auto found = sources_.find(id);
  if (found == sources_.end()) return;
  found->second.connected = false;
  found->second.before.clear();  // half a history is none
  found->second.heard = now;
  heard_of(found->second);
}

bool Collector::advance(TimePoint now, bool known) {
  if (awaiting_) {
    forget(now);
    return true;
  }
  const std::int64_t now_us = to_us(now);
  const std::int64_t due_us = (closed_ + 2) * kSecondUs;  // the end of the next second
  if (now_us < std::max(due_us, look_again_us_)) return false;
  forget(now);
  std::int64_t horizon_us = now_us;
  const Source* awaited = nullptr;
  for (const auto& [id, source] : sources_) {
    if (!source.connected) continue;
    const std::int64_t silent_us = source.rests ? now_us - rest_us_ : source.covered_us;
    const std::int64_t heard_us = std::max(source.covered_us, silent_us);
    horizon_us = std::min(horizon_us, heard_us);
    // All are needed; whoever has reported last is likely to be the last to report again.
    if (heard_us >= due_us || (awaited && source.covered_us <= awaited->covered_us)) continue;
    awaited = &source;
  }
  horizon_us = std::max(horizon_us, now_us - kLatestUs);
  const TimeWindow::Second newest = floor_second(horizon_us) - 1;
  if (newest <= closed_) {
    awaited_ = awaited;
    look_again_us_ = due_us + (awaited->rests ? rest_us_ : kLatestUs);
    return false;
  }
  if (newest - closed_ > kLongestWindow) {  // the loop stood still: nothing of before is left
    open_.erase(open_.begin(), open_.lower_bound(newest - kLongestWindow));
    closed_ = newest - kLongestWindow;
  }
  while (closed_ < newest) {
    ++closed_;
    if (known || open_.count(closed_) != 0) close(closed_);
  }
  return true;
}

/// The source has gone on.
void Collector::heard_of(const Source& source) noexcept {
  if (awaited_ == &source) look_again_us_ = 0;
}

void Collector::close(TimeWindow::Second second) {
  const auto open = open_.extract(second);
  const Open taken = open ? open.mapped() : Open();
  std::uint64_t wait_us = taken.wait_us;
  if (waits_limited_) {
    const std::int64_t end_us = (second + 1) * kSecondUs;
    const std::int64_t ready_us = ready_since_ ? end_us - to_us(*ready_since_) : 0;
    wait_us = std::min(wait_us, static_cast<std::uint64_t>(std::max<std::int64_t>(ready_us, 0)));
  }
  const SenderBalance::Missing missing = balance_.close(second, taken.flow);
  if (missing.before_u != 0 && stable_.last()) add_late(second - 1, missing.before_u);
  const double value = std::max(0.0, (taken.demand_u + missing.now_u) / 1e6);
  // Windows never begin with a second of which only the end is known, as after a restart.
  const bool cut = !stable_.last() && marked_ == second;
  if (on_second_) on_second_(second, cut ? 0 : value, false);
  zeros_ = value > 0 ? 0 : zeros_ + 1;
  if (zeros_ >= stable_.length()) {
    stable_ = TimeWindow(shape_.stable_seconds, shape_.averaging);
    panic_ = TimeWindow(shape_.panic_seconds, shape_.averaging);
    stable_wait_ = stable_;
    panic_wait_ = panic_;
  }
  // Nobody waits without demand, so these begin with it too.
  if (value > 0 || wait_us > 0 || stable_wait_.last()) {
    stable_wait_.record(second, static_cast<double>(wait_us) / 1e6);
    panic_wait_.record(second, static_cast<double>(wait_us) / 1e6);
  }
  if (!stable_.last() && (value == 0 || cut)) return;
  stable_.record(second, value);
  panic_.record(second, value);
}

void Collector::forget(TimePoint now) {
  std::erase_if(sources_, [now](const auto& entry) {
    return !entry.second.connected && now - entry.second.heard > kMemory;
  });
}

std::uint32_t Collector::present_in(const std::string& replica) const {
  SourceId first;
  first.replica = replica;
  std::uint32_t load = 0;  // of the newest epoch that is connected
  for (auto place = sources_.lower_bound(first); place != sources_.end(); ++place) {
    const auto& [id, source] = *place;
    if (id.role != first.role || id.replica != replica) break;
    if (source.connected) load = source.last.in_flight;
  }
  return load;
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
