#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "examples/echo/options.h"
#include "examples/echo/request.h"

namespace pilotlight::echo {

/// What the app knows about itself; shown by GET /stats. One thread.
struct Stats {
  std::uint32_t in_flight = 0;
  std::uint32_t max_in_flight = 0;
  std::uint64_t violations = 0;  ///< Requests that came while `limit` others were running.
  std::uint64_t served = 0;      ///< Requests answered to the last byte.
  std::uint64_t dropped = 0;     ///< Requests whose client left before the end.
  std::uint64_t body_bytes = 0;
  std::int64_t listening_us = 0;  ///< CLOCK_MONOTONIC when it began to listen.
  std::deque<std::string> order;  ///< `?id=` values in order of arrival, the last 10,000.
};

/// What is known about one request when its answer is made.
struct Exchange {
  Request request;
  std::int64_t received_us = 0;  ///< CLOCK_MONOTONIC when its head was complete.
  bool violation = false;
  std::uint64_t body_bytes = 0;
};

[[nodiscard]] std::int64_t monotonic_us();

/// The head of the answer. `length` is the body's, or nothing for a body of unknown length.
[[nodiscard]] std::string answer_head(const Exchange& exchange, const Stats& stats, unsigned status,
                                      const char* content_type,
                                      std::optional<std::uint64_t> length);

/// The body that says what came in.
[[nodiscard]] std::string describe(const Exchange& exchange, const Stats& stats);

/// The body of GET /stats.
[[nodiscard]] std::string describe(const Stats& stats, const Options& options);

}  // namespace pilotlight::echo
