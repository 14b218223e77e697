#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/kube/json.h"
#include "local/replica.h"

namespace pilotlight::local {

/// What `status` is put together from: three programs' views of the same revisions.
struct StatusInputs {
  std::vector<kube::Json> deployments;  ///< As the API has them.
  std::vector<kube::Json> pods;
  kube::Json activator;   ///< Its GET /status, or null when it does not answer.
  kube::Json autoscaler;  ///< The same.
  std::map<std::string, std::vector<std::string>> urls;  ///< By "namespace/service".
  /// The replica of a Pod: facts and last lines; none when it is not running here.
  struct Facts {
    ReplicaFacts replica;
    std::vector<std::string> last_lines;
  };
  std::function<std::optional<Facts>(const std::string& space, const std::string& pod)> facts;
};

/// The `status -o json` document: {"services": [...]}, shape in docs/operations.md. Pure.
[[nodiscard]] kube::Json compose_status(const StatusInputs& inputs);

/// asleep, waking, awake, draining or failing.
[[nodiscard]] const char* state_name(std::int64_t desired, std::int64_t ready, std::int64_t parked,
                                     std::size_t replicas, bool failing) noexcept;

/// The same document as a table for people.
[[nodiscard]] std::string status_table(const kube::Json& status);

}  // namespace pilotlight::local
