#include "common/stats/concurrency_meter.h"

#include <algorithm>

#include "common/base/check.h"

namespace pilotlight {

std::string_view to_string(RefusalCause cause) noexcept {
  switch (cause) {
    case RefusalCause::queue_full: return "queue_full";
    case RefusalCause::bytes_full: return "bytes_full";
    case RefusalCause::deadline: return "deadline";
    case RefusalCause::draining: return "draining";
    case RefusalCause::not_ready: return "not_ready";
    case RefusalCause::bounced: return "bounced";
    case RefusalCause::upstream_failed: return "upstream_failed";
    case RefusalCause::client_left: return "client_left";
  }
  return "other";
}

std::uint64_t ConcurrencyMeter::to_us(TimePoint at) noexcept {
  const auto us = std::chrono::floor<std::chrono::microseconds>(at.time_since_epoch()).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(us, 0));
}

void ConcurrencyMeter::advance(TimePoint now) noexcept {
  const std::uint64_t now_us = to_us(now);
  if (now_us <= last_us_) return;
  const std::uint64_t passed_us = now_us - last_us_;
  concurrency_us_ += passed_us * in_flight_;
  proxied_concurrency_us_ += passed_us * proxied_in_flight_;
  last_us_ = now_us;
}

void ConcurrencyMeter::arrived(TimePoint now, Via via) noexcept {
  advance(now);
  ++in_flight_;
  ++arrivals_;
  if (via == Via::activator) {
    ++proxied_in_flight_;
    ++proxied_arrivals_;
  }
}

void ConcurrencyMeter::departed(TimePoint now, Via via) noexcept {
  PILOTLIGHT_CHECK(in_flight_ > 0);
  advance(now);
  --in_flight_;
  if (via == Via::activator) {
    PILOTLIGHT_CHECK(proxied_in_flight_ > 0);
    --proxied_in_flight_;
  }
}

void ConcurrencyMeter::completed(Duration service_time) noexcept {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(service_time).count();
  ++completions_;
  service_time_us_ += static_cast<std::uint64_t>(std::max<std::int64_t>(us, 0));
}

LoadSnapshot ConcurrencyMeter::snapshot(TimePoint now) const noexcept {
  ConcurrencyMeter at = *this;
  at.advance(now);
  LoadSnapshot load;
  load.at_us = at.last_us_;
  load.concurrency_us = at.concurrency_us_;
  load.proxied_concurrency_us = at.proxied_concurrency_us_;
  load.arrivals = arrivals_;
  load.proxied_arrivals = proxied_arrivals_;
  load.completions = completions_;
  load.service_time_us = service_time_us_;
  load.refusals = refusals_;
  load.in_flight = in_flight_;
  load.proxied_in_flight = proxied_in_flight_;
  return load;
}

LoadSnapshot operator+(const LoadSnapshot& a, const LoadSnapshot& b) noexcept {
  LoadSnapshot sum = a;
  sum.at_us = std::max(a.at_us, b.at_us);
  sum.concurrency_us += b.concurrency_us;
  sum.proxied_concurrency_us += b.proxied_concurrency_us;
  sum.arrivals += b.arrivals;
  sum.proxied_arrivals += b.proxied_arrivals;
  sum.completions += b.completions;
  sum.service_time_us += b.service_time_us;
  for (std::size_t i = 0; i < kRefusalCauses; ++i) sum.refusals[i] += b.refusals[i];
  sum.in_flight += b.in_flight;
  sum.proxied_in_flight += b.proxied_in_flight;
  return sum;
}

PeriodStat period_stat(const LoadSnapshot& from, const LoadSnapshot& to) noexcept {
  PeriodStat stat;
  if (to.at_us <= from.at_us) return stat;
  const auto between = [](std::uint64_t begin, std::uint64_t end) {
    return static_cast<double>(end - begin);
  };
  const double period_us = between(from.at_us, to.at_us);
  stat.average_concurrency = between(from.concurrency_us, to.concurrency_us) / period_us;
  stat.average_proxied_concurrency =
      between(from.proxied_concurrency_us, to.proxied_concurrency_us) / period_us;
  stat.arrivals = between(from.arrivals, to.arrivals);
  stat.proxied_arrivals = between(from.proxied_arrivals, to.proxied_arrivals);
  return stat;
}

}  // namespace pilotlight
