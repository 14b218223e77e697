#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "common/kube/json.h"
#include "local/state_dir.h"

namespace pilotlight::cli {

/// Asks a running `up` for one of its pages, `/pilotlight/...`; `up` is its up.json. Blocks, at
/// most 10 s. The reason says what went wrong.
[[nodiscard]] local::OrReason<kube::Json> ask_up(const kube::Json& up, const std::string& page);

/// Tells a running `up` to end (SIGTERM) and waits until it has. @return the exit code; prints what
/// it could not do. Nothing running is a success.
[[nodiscard]] int end_up(const std::filesystem::path& state_dir);

}  // namespace pilotlight::cli
