#pragma once

#include <string>
#include <vector>

#include "config/container.h"
#include "config/json_reader.h"

namespace pilotlight::config {

/// What was met and has no effect on a laptop; each a path in the document.
struct PodSpecNotes {
  std::vector<std::string> ignored;
  std::string container_path;  ///< Where the container is.
  std::size_t container_index = 0;
};

/// Reads a pod's spec into what a process runtime needs. With Unknown::refused this is the manifest
/// reader: it also refuses, by name, what cannot be honoured. Does not call spec.end(): the caller
/// may know more fields.
[[nodiscard]] PodSpec read_pod_spec(ObjectReader& spec, PodSpecNotes& notes);

}  // namespace pilotlight::config
