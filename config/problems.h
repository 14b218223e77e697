#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/system/result.hpp>

namespace pilotlight::config {

/// Everything that is wrong with an input, each one line: `where: got X, expected Y`.
using Problems = std::vector<std::string>;

/// A value, or every reason why there is none (never an empty list). Nothing in config/ throws on
/// bad input.
template <class T>
using Checked = boost::system::result<T, Problems>;

/// `"text"` with control characters and quotes escaped and a long tail cut, for messages.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// `got X, expected Y`, both as they are.
[[nodiscard]] std::string got_expected(std::string_view got, std::string_view expected);

}  // namespace pilotlight::config
