#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/kube/json.h"
#include "local/api/kinds.h"

namespace pilotlight::local {

/// Why the API did not do what it was asked to: the content of Kubernetes' Status object, with the
/// texts of a real API server.
struct Refusal {
  unsigned code = 500;
  std::string reason;   ///< "NotFound", "Conflict", ...
  std::string message;  ///< For people; says what, got, expected.
  std::string name;     ///< Of the object, if one is meant.
  std::string group;
  std::string kind;                 ///< The plural, or the kind in an "Invalid".
  std::vector<std::string> causes;  ///< Of an "Invalid": "spec.replicas: Invalid value: ...".

  /// The Status object.
  [[nodiscard]] kube::Json to_json() const;
};

[[nodiscard]] Refusal not_found(const Kind& kind, std::string_view name);
[[nodiscard]] Refusal already_exists(const Kind& kind, std::string_view name);
/// A resourceVersion, or a precondition, that does not hold any longer.
[[nodiscard]] Refusal conflict(const Kind& kind, std::string_view name);
[[nodiscard]] Refusal invalid(const Kind& kind, std::string_view name,
                              std::vector<std::string> causes);
[[nodiscard]] Refusal forbidden(const Kind& kind, std::string_view name, std::string_view why);
[[nodiscard]] Refusal bad_request(std::string message);
[[nodiscard]] Refusal unauthorized();
/// A path that nothing serves.
[[nodiscard]] Refusal no_such_path();
[[nodiscard]] Refusal method_not_allowed();
[[nodiscard]] Refusal unsupported_media_type(std::string message);
/// A watch from a version that the history does not reach back to.
[[nodiscard]] Refusal expired(std::string message);

}  // namespace pilotlight::local
