#pragma once

#include <optional>
#include <string>
#include <vector>

#include "activator/replica_set.h"
#include "common/kube/json.h"
#include "common/wire/frames.h"

namespace pilotlight::activator {

/// What the activator reads of Kubernetes objects. Pure, and total: what is not as expected is
/// simply not there.

/// The endpoints of one EndpointSlice of a revision's private service.
struct SliceView {
  wire::RevisionKey revision;
  std::vector<SliceReplica> replicas;
};
/// None if the slice is not one of `<revision>-private`.
[[nodiscard]] std::optional<SliceView> view_slice(const kube::Json& slice);

/// A replica's Pod: whose it is, and why it does not run.
struct PodView {
  std::string name_space;
  std::string name;
  std::string revision;  ///< By its label; "" without one.
  std::string owner;     ///< Name of its first owner: a Deployment (laptop) or a ReplicaSet.
  bool ready = false;
  std::string failure;  ///< "replica x: container y: exit code 3: ..."; "" if there is none.
  std::string unready;  ///< Without one, why it is not ready yet: it may only need time.
};
[[nodiscard]] PodView view_pod(const kube::Json& pod);

/// Why the API server makes no Pod for a Deployment, a quota for instance: "FailedCreate: pods
/// \"x\" is forbidden: exceeded quota: ..."; "" when it makes them.
[[nodiscard]] std::string view_refusal(const kube::Json& deployment);

}  // namespace pilotlight::activator
