#pragma once

#include <filesystem>
#include <string>

namespace pilotlight::cli {

/// Prints what the replicas of a service have written, app and sidecar, oldest file first, every
/// line with its origin; with `follow` goes on with what comes, new replicas included, until SIGINT
/// or until `up` ends. Without an `up` the names of the files that the last ones left tell whose
/// they are. @return the exit code; 1 when the service is not known, or nothing runs and it has
/// left no log.
[[nodiscard]] int print_logs(const std::filesystem::path& state_dir, const std::string& service,
                             bool follow);

}  // namespace pilotlight::cli
