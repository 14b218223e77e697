#pragma once

#include <string>
#include <string_view>

namespace pilotlight::cli {

/// `text` as a terminal may have it: control characters but tab and newline become `\x1b`, those
/// of two bytes (U+0080 to U+009F) too. What an app has written would act on the terminal of
/// whoever reads it.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace pilotlight::cli
