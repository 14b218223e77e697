#pragma once

#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/base/clock.h"
#include "common/control/server.h"

namespace pilotlight::control {

/// The last life-cycle events of one process, for `GET /events`: who watches a process asks for
/// what came after the last sequence number it knows, and waits until there is something. That is
/// how `pilotlight up` tells the story of a wake without polling. Bounded (1,024); one shard.
class EventLog {
 public:
  explicit EventLog(Clock& clock, std::uint64_t epoch);

  /// Records {"seq", "kind", "at_us", ...fields}. `at_us` is monotonic time in microseconds, the
  /// same clock for all processes of a machine: now, unless `fields` has one.
  void record(std::string_view kind, nlohmann::json fields);

  /// Answers `GET /events?after=N[&epoch=E][&wait_ms=M]` with
  /// {"epoch": "...", "events": [...]}: at once when there is something newer than N (or E is
  /// another epoch), else when there is, or after M ms (at most 30 s, 0 by default).
  [[nodiscard]] Task<> serve(const Request& request, Reply& reply);

  /// Ends every waiting serve() at once.
  void close();

 private:
  struct Waiter;
  Clock& clock_;
  std::uint64_t epoch_;
  std::uint64_t next_ = 1;
  bool closed_ = false;
  std::deque<nlohmann::json> events_;
  std::vector<Waiter*> waiters_;
};

/// Monotonic microseconds of `at`, for events.
[[nodiscard]] std::int64_t monotonic_us(TimePoint at) noexcept;

}  // namespace pilotlight::control
