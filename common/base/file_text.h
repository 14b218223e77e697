#pragma once

#include <optional>
#include <string>

namespace pilotlight {

/// The whole of a file, or nothing when it cannot be read (errno says why; EISDIR for a folder,
/// EFBIG beyond 64 MiB). Blocks: for small files of the control path, such as tokens and
/// certificates.
[[nodiscard]] std::optional<std::string> file_text(const std::string& path);

}  // namespace pilotlight
