#pragma once

#include <string>

#include "common/kube/json.h"

namespace pilotlight::cli {

/// For a decision that keeps replicas for a time (`delay`, `retention`, `grace`): how many, and
/// until when, in local time. "" for others, and when the line does not have all of it.
[[nodiscard]] std::string kept_until(const kube::Json& decision);

}  // namespace pilotlight::cli
