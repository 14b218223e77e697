#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace pilotlight::config {

/// A value as YAML in block style, ending with a newline; read_documents() gives the value back.
/// Every string that any YAML reader could take for something else is quoted.
[[nodiscard]] std::string to_yaml(const nlohmann::json& value);

/// Several documents, `---` between them.
[[nodiscard]] std::string to_yaml(const std::vector<nlohmann::json>& documents);

}  // namespace pilotlight::config
