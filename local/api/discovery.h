#pragma once

#include <optional>
#include <string_view>

#include "common/kube/json.h"

namespace pilotlight::local {

/// What /version, /api, /apis, /api/v1, /apis/<group> and /apis/<group>/<version> answer, so that
/// kubectl and clients with discovery find the kinds; none for any other path.
[[nodiscard]] std::optional<kube::Json> discover(std::string_view path, std::string_view version);

}  // namespace pilotlight::local
