#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pilotlight {

/// Base64 with the standard alphabet and padding, on one line, as Kubernetes writes bytes in JSON.
[[nodiscard]] std::string to_base64(std::string_view bytes);

/// None for anything but that.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

/// The alphabet and the missing padding of JSON Web Tokens (base64url); none for anything else.
[[nodiscard]] std::optional<std::string> from_base64url(std::string_view text);

}  // namespace pilotlight
