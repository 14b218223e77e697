#pragma once

#include <string>

#include "autoscaler/loop.h"
#include "autoscaler/token_reviews.h"

/// What the autoscaler shows of itself. Made when asked; nothing is kept for it.
namespace pilotlight::autoscaler {

/// `GET /status`: one JSON object, fields are only ever added.
[[nodiscard]] std::string status_json(Loop& loop);

/// `GET /metrics`: Prometheus text. `reviews`: of tokens, where they are reviewed.
[[nodiscard]] std::string metrics_text(Loop& loop, const wire::ServerCounts& wire,
                                       const TokenReviews* reviews = nullptr);

}  // namespace pilotlight::autoscaler
