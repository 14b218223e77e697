#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pilotlight::controller {

/// Base64 with the standard alphabet and padding, on one line, as Kubernetes writes bytes in JSON.
[[nodiscard]] std::string to_base64(std::string_view bytes);

/// None for anything but that.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

}  // namespace pilotlight::controller
