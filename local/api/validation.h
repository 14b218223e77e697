#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/kube/json.h"
#include "local/api/kinds.h"

namespace pilotlight::local {

/// What is wrong with an object that is to be stored, as Kubernetes says it, all at once:
/// "spec.replicas: Invalid value: -1: must be greater than or equal to 0". Empty: nothing. `before`
/// is the stored object that it replaces, or null. Pure.
[[nodiscard]] std::vector<std::string> problems_of(const Kind& kind, const kube::Json& object,
                                                   const kube::Json* before);

/// Whether `name` is a DNS-1123 subdomain, which every object's name must be.
[[nodiscard]] bool good_name(std::string_view name) noexcept;

}  // namespace pilotlight::local
