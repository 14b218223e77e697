#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pilotlight::wire {

/// Whether `text` is well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above
/// U+10FFFF). Names from a peer end up in JSON and log lines, which must stay well-formed.
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

/// The beginning of well-formed text, at most so many bytes of it, and no character cut in two.
[[nodiscard]] std::string_view utf8_prefix(std::string_view text, std::size_t most) noexcept;

/// The same of its end.
[[nodiscard]] std::string_view utf8_suffix(std::string_view text, std::size_t most) noexcept;

/// The beginning as one line for people: control characters are spaces.
[[nodiscard]] std::string one_line(std::string_view text, std::size_t most);

}  // namespace pilotlight::wire
