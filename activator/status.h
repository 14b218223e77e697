#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "activator/metrics.h"
#include "activator/revisions.h"

namespace pilotlight::activator {

/// What one look at the process shows. Pure.
struct Picture {
  std::uint64_t epoch = 0;
  bool autoscaler_connected = false;
  bool draining = false;
  std::size_t doors = 0;            ///< Open now, one per Service.
  std::uint64_t door_failures = 0;  ///< Attempts to open one.
  std::vector<RevisionReport> revisions;
  std::function<double(const RevisionInfo&)> rate;  ///< Requests per second.
  std::vector<const Cells*> cells;                  ///< One per data shard.
  std::size_t parked = 0;                           ///< Of all revisions, and its bytes.
  std::size_t parked_bytes = 0;
  ParkLimits limits;
};

/// The body of `GET /status`.
[[nodiscard]] nlohmann::json status_json(const Picture& picture);

/// The body of `GET /metrics`: Prometheus text.
[[nodiscard]] std::string metrics_text(const Picture& picture);

}  // namespace pilotlight::activator
