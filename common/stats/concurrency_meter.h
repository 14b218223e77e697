#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/clock.h"

namespace pilotlight {

/// Who sent a request to a replica. What an activator sent is also in that activator's own numbers,
/// so the autoscaler takes it out of the sidecar's.
enum class Via : unsigned char { client, activator };

/// Why a request ended without an answer of the app. The numbers travel on the wire (STATS): only
/// ever append, and raise kRefusalCauses.
enum class RefusalCause : unsigned char {
  queue_full = 0,       ///< The waiting room is full by count.
  bytes_full = 1,       ///< The waiting room is full by bytes.
  deadline = 2,         ///< Its time was up while it waited.
  draining = 3,         ///< This process takes nothing new.
  not_ready = 4,        ///< The app is not ready.
  bounced = 5,          ///< A hop's request that found no permit; the activator places it again.
  upstream_failed = 6,  ///< The app or its connection failed.
  client_left = 7,      ///< The client went away while it waited.
};
inline constexpr std::size_t kRefusalCauses = 8;

/// Requests that ended without the app's answer, by cause.
using RefusalCounts = std::array<std::uint64_t, kRefusalCauses>;

/// "queue_full", ...: the label in metrics and JSON.
[[nodiscard]] std::string_view to_string(RefusalCause cause) noexcept;

/// Everything counted since the meter was made, and how it is right now. Two of them give the load
/// between their instants, whoever takes them and however often.
struct LoadSnapshot {
  std::uint64_t at_us = 0;           ///< Monotonic microseconds when it was taken.
  std::uint64_t concurrency_us = 0;  ///< Integral of in_flight over time, request-microseconds.
  std::uint64_t proxied_concurrency_us = 0;  ///< The part of it that came via an activator.
  std::uint64_t arrivals = 0;
  std::uint64_t proxied_arrivals = 0;  ///< The part of arrivals that came via an activator.
  std::uint64_t completions = 0;       ///< Requests that the app answered.
  std::uint64_t service_time_us = 0;   ///< Sum over completions: forwarded to app → answer done.
  RefusalCounts refusals{};
  std::uint32_t in_flight = 0;          ///< Present now: waiting + running.
  std::uint32_t proxied_in_flight = 0;  ///< The part of in_flight that came via an activator.

  friend bool operator==(const LoadSnapshot&, const LoadSnapshot&) = default;
};

/// Measures the load on one replica, or of one revision in one activator.
///
/// Concurrency is time-weighted: two requests that overlap for half of a second count as 1.5 over
/// it, not 2. Waiting and running requests are both demand; probes are never given to it. All
/// counters are cumulative since construction, so a lost report loses nothing. Exact to the
/// microsecond.
///
/// Time is passed in, never read; a `now` before an earlier one counts as that one. Calls are O(1)
/// and allocate nothing. Shard-local: keep one per shard and add the snapshots.
class ConcurrencyMeter {
 public:
  explicit ConcurrencyMeter(TimePoint now) noexcept : last_us_(to_us(now)) {}

  /// A request is there (to wait or to run: both are demand).
  void arrived(TimePoint now, Via via) noexcept;

  /// It is gone, whatever its outcome. Exactly one call per arrived(), with the same `via`.
  void departed(TimePoint now, Via via) noexcept;

  /// The app answered one; `service_time` from when it was forwarded. Called beside departed().
  void completed(Duration service_time) noexcept;

  /// One ended without the app's answer. Called beside departed(), or alone for a request that was
  /// refused before it counted as demand.
  void refused(RefusalCause cause) noexcept { ++refusals_[static_cast<std::size_t>(cause)]; }

  [[nodiscard]] LoadSnapshot snapshot(TimePoint now) const noexcept;

  [[nodiscard]] std::uint32_t in_flight() const noexcept { return in_flight_; }

 private:
  [[nodiscard]] static std::uint64_t to_us(TimePoint at) noexcept;
  void advance(TimePoint now) noexcept;

  std::uint64_t last_us_;  // the integrals are up to date until here
  std::uint64_t concurrency_us_ = 0;
  std::uint64_t proxied_concurrency_us_ = 0;
  std::uint64_t arrivals_ = 0;
  std::uint64_t proxied_arrivals_ = 0;
  std::uint64_t completions_ = 0;
  std::uint64_t service_time_us_ = 0;
  RefusalCounts refusals_{};
  std::uint32_t in_flight_ = 0;
  std::uint32_t proxied_in_flight_ = 0;
};

/// The sum of the counters and gauges of two meters (one per shard). `at_us` is the later one.
[[nodiscard]] LoadSnapshot operator+(const LoadSnapshot& a, const LoadSnapshot& b) noexcept;

/// The load between two snapshots of one meter in Knative's terms. A queue-proxy
/// takes it every second and publishes it on :9090.
struct PeriodStat {
  double average_concurrency = 0;
  double average_proxied_concurrency = 0;  ///< Part of average_concurrency.
  double arrivals = 0;          ///< A count. Knative publishes it as "per second" of its 1 s tick.
  double proxied_arrivals = 0;  ///< Part of arrivals.
};

/// All zero if `to` is not later than `from`.
[[nodiscard]] PeriodStat period_stat(const LoadSnapshot& from, const LoadSnapshot& to) noexcept;

}  // namespace pilotlight
