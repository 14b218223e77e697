#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/log_template.h"
#include "config/problems.h"

namespace pilotlight::config {

/// What Knative's OBSERVABILITY_CONFIG says about a sidecar.
struct Observability {
  enum class Metrics : std::uint8_t { none, prometheus, pushed };

  Metrics request_metrics = Metrics::none;  ///< `pushed` is grpc and http/protobuf: not done.
  std::string request_metrics_endpoint;     ///< prometheus: `host:port` to listen on instead.
  bool request_log = false;                 ///< enableRequestLog
  bool probe_request_log = false;           ///< enableProbeRequestLog
  LogTemplate request_log_template;         ///< requestLogTemplate, or Knative's default.
  /// What it asks for and is not done, one phrase each.
  std::vector<std::string> without_effect;
};

/// Reads the JSON; empty text is the default. Fields that nobody knows are ignored, as Go ignores
/// them. Every problem begins with `where`, the variable's name.
[[nodiscard]] Checked<Observability> parse_observability(std::string_view json,
                                                         std::string_view where);

}  // namespace pilotlight::config
