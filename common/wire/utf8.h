#pragma once

#include <string_view>

namespace pilotlight::wire {

/// Whether `text` is well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above
/// U+10FFFF). Names from a peer end up in JSON and log lines, which must stay well-formed.
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

}  // namespace pilotlight::wire
