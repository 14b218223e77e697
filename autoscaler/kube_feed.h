#pragma once

#include <map>
#include <random>
#include <set>
#include <string>

#include "autoscaler/loop.h"
#include "autoscaler/pod_view.h"
#include "autoscaler/scale_target.h"
#include "autoscaler/wire_door.h"
#include "common/kube/client.h"
#include "common/kube/watcher.h"

namespace pilotlight::autoscaler {

/// Tells the Loop of the Deployments that carry our label. One whose annotations do not read keeps
/// its last good policy; one that cannot be read at all is left alone. Either is said once a
/// change.
class DeploymentFeed final : public kube::Watcher::Listener {
 public:
  DeploymentFeed(Loop& loop, const config::AutoscalerDefaults& defaults)
      : loop_(loop), defaults_(defaults) {}

  void applied(const kube::Json& object) override;
  void removed(const kube::Json& object) override;
  void synced() override { loop_.deployments_known(); }

 private:
  struct Known {
    wire::RevisionKey revision;
    config::ScalingPolicy policy;
  };

  Loop& loop_;
  config::AutoscalerDefaults defaults_;
  std::map<std::string, Known> known_;  // by namespace/name of the Deployment
};

/// Tells the Registry which addresses the EndpointSlices of a revision call ready.
class SliceFeed final : public kube::Watcher::Listener {
 public:
  explicit SliceFeed(Registry& registry) : registry_(registry) {}

  void applied(const kube::Json& object) override;
  void removed(const kube::Json& object) override;
  void synced() override { registry_.slices_known(); }

 private:
  void tell(const wire::RevisionKey& revision);

  Registry& registry_;
  std::map<wire::RevisionKey, std::map<std::string, std::set<std::string>>> slices_;
};

/// Tells the Loop how the Pods of the replicas do, and the WireDoor who they are.
class PodFeed final : public kube::Watcher::Listener {
 public:
  PodFeed(Loop& loop, WireDoor& door) : loop_(loop), door_(door) {}

  void applied(const kube::Json& object) override {
    door_.pod_applied(object);
    loop_.pod_changed(view_pod(object));
  }
  void removed(const kube::Json& object) override {
    door_.pod_removed(object);
    loop_.pod_gone(view_pod(object));
  }

 private:
  Loop& loop_;
  WireDoor& door_;
};

/// Tells the Loop of images that were pulled, from the Events that kubelet writes. What a first
/// list holds is history.
class PulledFeed final : public kube::Watcher::Listener {
 public:
  explicit PulledFeed(Loop& loop) : loop_(loop) {}

  void applied(const kube::Json& object) override;
  void removed(const kube::Json& /*object*/) override {}
  void synced() override { synced_ = true; }

 private:
  Loop& loop_;
  bool synced_ = false;
};

/// Sends a number of replicas to the Kubernetes API: PATCH of the scale subresource, on connections
/// that are kept, each within `patch_time`.
class KubeTarget final : public ScaleTarget {
 public:
  KubeTarget(kube::Client& client, Clock& clock, Duration patch_time = std::chrono::seconds(5))
      : client_(client), clock_(clock), patch_time_(patch_time) {}

  [[nodiscard]] Task<PatchAnswer> set_replicas(std::string name_space, std::string deployment,
                                               std::int32_t replicas) override;

 private:
  kube::Client& client_;
  Clock& clock_;
  Duration patch_time_;
};

}  // namespace pilotlight::autoscaler
