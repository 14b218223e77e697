#pragma once

#include <string>
#include <vector>

#include "config/inject.h"

namespace pilotlight::cli {

/// What both commands are told.
struct ManifestArguments {
  std::vector<std::string> paths;  ///< Files, folders, or "-".
  std::string output = "yaml";     ///< yaml, or json: one object, a v1 List when there are several.
};

/// `pilotlight convert`: prints Knative Services as Deployments and Services. @return the exit
/// code: 0, or 78 with every problem on standard error and nothing on standard output.
[[nodiscard]] int convert(const ManifestArguments& arguments);

/// `pilotlight inject`: prints the manifests as the webhook would make them. The same codes.
[[nodiscard]] int inject(const ManifestArguments& arguments,
                         const config::InjectSettings& settings);

}  // namespace pilotlight::cli
