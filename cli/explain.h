#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace pilotlight::cli {

/// What to tell of a service.
struct ExplainOptions {
  std::string service;  ///< "iris", or "team/iris".
  std::string since;    ///< As Go writes durations; "" for all that is kept.
  bool json = false;    ///< The lines as they are, with all inputs.
};

/// `pilotlight explain SERVICE`: why it has the replicas it has, what its cold starts were spent on
/// and why requests were refused, from the event log on disk; also after `up` has ended. @return
/// the exit code: 0; 1 when nothing is known or the log cannot be read; 78 for a bad duration, and
/// for a name that several services have.
[[nodiscard]] int explain(const std::filesystem::path& state_dir, const ExplainOptions& options);

/// From when on it is told, in milliseconds of the wall clock; the least number for all of it.
/// None, with the reason on standard error, for a bad duration.
[[nodiscard]] std::optional<std::int64_t> since_of(const ExplainOptions& options);

}  // namespace pilotlight::cli
