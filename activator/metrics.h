#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "common/metrics/cell.h"

namespace pilotlight::activator {

/// How a request ended. Doubles as the `outcome` label, so its values are a public contract.
enum class Outcome : std::size_t {
  answered,         ///< The app's, or its sidecar's, answer went through.
  no_route,         ///< 404: no such service or revision.
  park_requests,    ///< 503: too many wait.
  park_bytes,       ///< 503: what waits takes too much memory.
  deadline,         ///< 504: its time was up.
  upstream_failed,  ///< 502: the replica failed while it had the request.
  broken_off,       ///< The answer had begun when the replica failed, or the time was up.
  client_left,      ///< The client went away first.
  draining,         ///< This process ended.
  bad_request,      ///< 400, 431: the head could not be taken.
};
inline constexpr std::array<std::string_view, 10> kOutcomeLabel = {
    "answered",        "no_route",   "park_requests", "park_bytes", "deadline",
    "upstream_failed", "broken_off", "client_left",   "draining",   "bad_request"};

/// The counters of one data shard, written by it alone and read by the scrape.
struct alignas(64) Cells {
  std::array<Cell, kOutcomeLabel.size()>
      requests;      ///< pilotlight_activator_requests_total{outcome}
  Cell bounces;      ///< pilotlight_activator_bounces_total: sent back by a sidecar, placed again.
  Cell retries;      ///< pilotlight_activator_retries_total: died unread, sent again.
  Cell connections;  ///< pilotlight_activator_connections: open downstream connections.
  Cell accepted;     ///< pilotlight_activator_connections_total: downstream ones so far.
  Cell probes;       ///< pilotlight_activator_probes_total

  void finished(Outcome outcome) noexcept { requests[static_cast<std::size_t>(outcome)].add(); }
};

}  // namespace pilotlight::activator
