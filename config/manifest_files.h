#pragma once

#include <string>
#include <vector>

#include "config/problems.h"

namespace pilotlight::config {

/// The text of one manifest file.
struct ManifestText {
  std::string name;    ///< As it was asked for; "-" is standard input.
  std::string folder;  ///< Absolute: what relative paths in it are relative to.
  std::string text;
};

/// Reads files, folders (their *.yaml, *.yml and *.json files in order of name) and "-", standard
/// input; at most 4 MiB each. What cannot be read is added to `problems`. Blocks.
[[nodiscard]] std::vector<ManifestText> read_manifest_files(const std::vector<std::string>& paths,
                                                            Problems& problems);

}  // namespace pilotlight::config
