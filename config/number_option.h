#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "config/problems.h"
#include "config/scalars.h"

namespace pilotlight::config {

/// An option of the command line that is a whole number, with its default in the help. Of one that
/// does not fit its type the library only says that it could not convert it; here it is refused as
/// everything else is: `--admin-port: got "70000", expected an integer in [0, 65535]`.
template <class T>
CLI::Option* add_number(CLI::App& app, const std::string& flag, T& value, const std::string& text,
                        T most = std::numeric_limits<T>::max()) {
  constexpr std::uint64_t kLargest = std::numeric_limits<std::int64_t>::max();
  const auto bound = static_cast<std::int64_t>(std::min<std::uint64_t>(most, kLargest));
  const auto check = [bound](const std::string& got) {
    const auto number = parse_integer(got);
    if (number && *number >= 0 && *number <= bound) return std::string();
    return got_expected(in_quotes(got), fmt::format("an integer in [0, {}]", bound));
  };
  return app.add_option(flag, value, text)->check(check)->capture_default_str();
}

}  // namespace pilotlight::config
