#pragma once

#include "autoscaler/loop.h"
#include "common/metrics/exposition.h"

namespace pilotlight::autoscaler {

/// What `GET /metrics` has of every revision beside its demand: how long its cold starts take, and
/// the numbers of Knative's autoscaler under Knative's names. docs/metrics.md lists them.
void write_revision_metrics(Exposition& out, const Loop& loop);

}  // namespace pilotlight::autoscaler
