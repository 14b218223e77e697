#pragma once

#include <optional>
#include <string>

namespace pilotlight::cli {

/// What is wrong with the name of a service, "iris" or "team/iris", as a user has given it; none if
/// it is one. It becomes part of paths and of selectors.
[[nodiscard]] std::optional<std::string> wrong_service(const std::string& name);

}  // namespace pilotlight::cli
