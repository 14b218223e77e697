#pragma once

#include <string>

#include "autoscaler/loop.h"

/// What the autoscaler shows of itself. Made when asked; nothing is kept for it.
namespace pilotlight::autoscaler {

/// `GET /status`: one JSON object, fields are only ever added.
[[nodiscard]] std::string status_json(Loop& loop);

/// `GET /metrics`: Prometheus text.
[[nodiscard]] std::string metrics_text(Loop& loop, const wire::ServerCounts& wire);

}  // namespace pilotlight::autoscaler
