#pragma once

#include <map>
#include <string>
#include <utility>

#include "common/kube/json.h"

namespace pilotlight::autoscaler {

/// Who else scales Deployments: HorizontalPodAutoscalers. KEDA makes one for each of its
/// ScaledObjects, so those are seen as well, and named. Pure; costs O(log n) a change.
class Rivals {
 public:
  /// Namespace and name: of a Deployment here.
  using Name = std::pair<std::string, std::string>;

  /// The Deployments that an object had for its target, and has now; the same one is told once.
  struct Touched {
    Name before;  ///< An empty name: none.
    Name after;
  };
  [[nodiscard]] Touched applied(const kube::Json& autoscaler);
  [[nodiscard]] Touched removed(const kube::Json& autoscaler);

  /// "HorizontalPodAutoscaler x", "KEDA ScaledObject x"; "" when nobody else scales it.
  [[nodiscard]] std::string of(const Name& deployment) const;

 private:
  [[nodiscard]] Name forget(const Name& autoscaler);

  std::map<Name, Name> targets_;                                  // by their own name
  std::map<Name, std::map<std::string, std::string>> by_target_;  // who, by name
};

}  // namespace pilotlight::autoscaler
