#pragma once

#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "config/problems.h"

namespace pilotlight::config {

/// One document of a file, or an item of a list in it, as JSON, and where its parts were.
struct Document {
  nlohmann::json value;
  std::string file;
  std::map<std::string, std::size_t> lines;  ///< Path (json_reader.h) to line, from 1.
  std::string item;                          ///< "items[2]"; "" for a document of its own.

  /// `file:line` of a path, or of the nearest part around it that is there; of an item with
  /// `: items[2]` behind it.
  [[nodiscard]] std::string at(const std::string& path) const;
};

/// Splits YAML (or JSON, which is YAML) into its documents; empty ones are left out.
///
/// Scalars are typed as Kubernetes types them: quoted ones are strings, plain ones may be null,
/// booleans (yes and no too) or numbers. Refused: a key twice in one object, a key that is not a
/// string, merge keys, tags other than the core ones, and more than 100,000 values or 64 levels
/// (aliases can make a small file huge). Problems are `file:line: path: ...`.
[[nodiscard]] Checked<std::vector<Document>> read_documents(const std::string& text,
                                                            const std::string& file);

}  // namespace pilotlight::config
