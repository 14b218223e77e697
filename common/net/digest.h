#pragma once

#include <array>
#include <string_view>

namespace pilotlight {

/// SHA-256.
using Digest = std::array<unsigned char, 32>;

/// For keys made of secrets: nobody finds two texts with the same one, or the text to one.
[[nodiscard]] Digest digest_of(std::string_view text);

}  // namespace pilotlight
