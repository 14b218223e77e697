#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "local/api/kinds.h"

namespace pilotlight::local {

/// What a path of the API names: a collection (no name), an object, or a subresource of one.
struct Target {
  const Kind* kind = nullptr;
  std::string space;        ///< "" in a collection over all namespaces, and for Namespaces.
  std::string name;         ///< "" for the collection.
  std::string subresource;  ///< "scale", "status" or "".
};

/// Reads `/api/v1/...` and `/apis/<group>/<version>/...`; none for a path that no kind serves, or a
/// subresource that the kind does not have.
[[nodiscard]] std::optional<Target> parse_target(std::string_view path);

}  // namespace pilotlight::local
