#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/container.h"

namespace pilotlight::config {

/// Replaces `$(NAME)` by the last value of NAME in `known`, as Kubernetes does: an undefined name
/// stays as it is written, `$$` is one `$` and protects what follows (`$$(NAME)` gives `$(NAME)`).
[[nodiscard]] std::string expand(std::string_view text, const std::vector<EnvVar>& known);

/// What a process is started with.
struct Expanded {
  std::vector<std::string> command;  ///< command and args, in one list.
  std::vector<EnvVar> env;           ///< `given`, then the container's; a later one replaces.
};

/// Expands a container over the variables that the platform gives it (PORT, K_SERVICE, POD_IP,
/// ...). An entry of `env` may refer to given ones and to entries before it; command and args to
/// all.
[[nodiscard]] Expanded expand_container(const Container& container,
                                        const std::vector<EnvVar>& given);

}  // namespace pilotlight::config
