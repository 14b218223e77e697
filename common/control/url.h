#pragma once

#include <map>
#include <string>
#include <string_view>

namespace pilotlight::control {

/// Replaces %XX by its byte; a % that is not followed by two hexadecimal digits stays as it is.
/// With `plus_is_space` (queries) a + becomes a space.
[[nodiscard]] std::string percent_decode(std::string_view text, bool plus_is_space = false);

/// Encodes everything but letters, digits and -._~ : safe as one path segment or query value.
[[nodiscard]] std::string percent_encode(std::string_view text);

/// "a=1&b=x%20y&c" -> {a: "1", b: "x y", c: ""}. Of a repeated name the last one counts.
[[nodiscard]] std::map<std::string, std::string> parse_query(std::string_view query);

}  // namespace pilotlight::control
