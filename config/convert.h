#pragma once

#include <vector>

#include <nlohmann/json.hpp>

#include "config/inject.h"
#include "config/problems.h"
#include "config/yaml_documents.h"

namespace pilotlight::config {

/// Knative Services as what a cluster without Knative runs: for each a Deployment that asks for the
/// sidecar, and a v1 Service on port 80 in front of it, both with its name. Everything in the pod's
/// spec is kept; concurrency and timeouts become annotations of the pods, scaling annotations go to
/// the Deployment. Other documents stay as they are, but what else is Knative's is a problem,
/// and so is what the webhook would refuse of the Deployment. A v1 List counts as its items, for
/// inject() too.
[[nodiscard]] Checked<std::vector<nlohmann::json>> convert(const std::vector<Document>& documents);

/// What the webhook makes of the pods of these documents: Deployments with the label get the
/// sidecar into their template, Pods with it into their spec; other documents stay as they are.
[[nodiscard]] Checked<std::vector<nlohmann::json>> inject(const std::vector<Document>& documents,
                                                          const InjectSettings& settings);

}  // namespace pilotlight::config
