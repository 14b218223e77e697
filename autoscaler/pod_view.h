#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "autoscaler/cold_start.h"
#include "common/kube/json.h"

namespace pilotlight::autoscaler {

/// How a container ended, as kubelet tells it.
struct ContainerEnd {
  std::string container;
  std::int64_t exit_code = 0;
  std::string reason;      ///< "Error", "OOMKilled", ...
  std::string last_words;  ///< Its termination message: the last lines it wrote.

  friend bool operator==(const ContainerEnd&, const ContainerEnd&) = default;
};

/// What the autoscaler reads of a replica's Pod; below, of other objects that say how it does.
struct PodView {
  std::string name_space;
  std::string name;
  std::string revision;  ///< By its label; "" without one.
  std::string owner;     ///< Name of its first owner: a Deployment (laptop) or a ReplicaSet.
  bool deleting = false;
  bool ready = false;
  std::int64_t restarts = 0;        ///< Of the container that has most.
  std::optional<Phase> reached;     ///< The last of scheduled, init and start that is over.
  std::optional<ContainerEnd> end;  ///< The last failure of a container, if one has failed.
  std::int32_t deletion_cost = 0;   ///< What the ReplicaSet's controller reads.
  bool backing_off = false;         ///< A container ended so often that it waits: CrashLoopBackOff.
  std::string blocked;  ///< Why it cannot start at all, "ImagePullBackOff: ..."; "" if it can.

  /// Infrastructure keeps it from being ready, not time: it does not start, or ends again and
  /// again.
  [[nodiscard]] bool broken() const noexcept { return !ready && (!blocked.empty() || end); }
};

/// Pure, and total: what is not as expected is simply not there.
[[nodiscard]] PodView view_pod(const kube::Json& pod);

/// Whether something may still ask for the Deployment's replicas, by Knative's rule: not if no
/// route names it, nor if its infrastructure has failed, which is when it has made no progress for
/// its progress deadline and none of its replicas is ready.
[[nodiscard]] bool is_reachable(const kube::Json& deployment);

/// Why the Deployment's pods cannot be made: a quota, an admission webhook; "" when they can.
[[nodiscard]] std::string creation_refused(const kube::Json& deployment);

/// A pulled image, from an Event of the API; none for other Events.
struct PulledView {
  std::string name_space;
  std::string pod;
};
[[nodiscard]] std::optional<PulledView> view_pulled(const kube::Json& event);

/// A Warning of what keeps a Pod from starting, from an Event of the API; none for other Events.
struct WarningView {
  std::string name_space;
  std::string pod;
  std::string reason;  ///< "FailedMount", "FailedCreatePodSandBox", ...
  std::string text;    ///< Reason and message, at most 500 bytes.
  std::string at;  ///< When it was said last, "2026-11-29T21:00:00": later ones compare greater.
};
[[nodiscard]] std::optional<WarningView> view_warning(const kube::Json& event);

}  // namespace pilotlight::autoscaler
