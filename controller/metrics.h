#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "controller/credentials.h"

namespace pilotlight::controller {

/// How often, by what and by how it went.
using Counts = std::map<std::pair<std::string, std::string>, std::uint64_t>;

/// What the controller knows of itself when it is asked.
struct MetricsFacts {
  const Counts& reviews;  ///< By webhook and result.
  const Counts& writes;   ///< By kind of object and result.
  std::size_t due = 0;    ///< Objects that are to be looked at.
  std::size_t left_alone = 0;
  bool leading = false;
  const Credentials& credentials;  ///< Empty before there are any.
};

/// docs/metrics.md has the names and what they mean. Pure.
[[nodiscard]] std::string metrics_text(const MetricsFacts& facts);

}  // namespace pilotlight::controller
