#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace pilotlight::cli {

/// What to tell of a service's decisions.
struct ExplainOptions {
  std::string service;  ///< "iris", or "team/iris".
  std::string since;    ///< As Go writes durations; "" for all that is kept.
  bool json = false;    ///< The lines as they are, with all inputs.
};

/// `pilotlight explain SERVICE`: why it has the replicas it has, from the decisions on disk; also
/// after `up` has ended. @return the exit code: 0; 1 when nothing is known; 78 for a bad duration.
[[nodiscard]] int explain(const std::filesystem::path& state_dir, const ExplainOptions& options);

/// One line of the decision file for people, with its newline: "2026-11-25 08:00:00  0 -> 2  floor:
/// ...", in local time. None when the line is not of that service, older, or no decision.
[[nodiscard]] std::optional<std::string> explain_line(std::string_view line,
                                                      const ExplainOptions& options,
                                                      std::int64_t since_ms);

}  // namespace pilotlight::cli
