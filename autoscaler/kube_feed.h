#pragma once

#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>

#include "autoscaler/loop.h"
#include "autoscaler/path_teller.h"
#include "autoscaler/pod_view.h"
#include "autoscaler/rivals.h"
#include "autoscaler/scale_target.h"
#include "autoscaler/wire_door.h"
#include "common/kube/client.h"
#include "common/kube/watcher.h"

namespace pilotlight::autoscaler {

/// Tells the Loop of the Deployments that carry our label. One whose annotations do not read keeps
/// its last good policy, or begins with what of them does read, within max-scale-limit; one that
/// cannot be read at all is left alone. Either is said once a change.
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

/// Tells the Loop how the Pods of the replicas do, and the WireDoor who they are. Calls `on_known`
/// when all that there are have been told of.
class PodFeed final : public kube::Watcher::Listener {
 public:
  PodFeed(Loop& loop, WireDoor& door, std::function<void()> on_known)
      : loop_(loop), door_(door), on_known_(std::move(on_known)) {}

  void applied(const kube::Json& object) override {
    door_.pod_applied(object);
    loop_.pod_changed(view_pod(object));
  }
  void removed(const kube::Json& object) override {
    door_.pod_removed(object);
    loop_.pod_gone(view_pod(object));
  }
  void synced() override { on_known_(); }

 private:
  Loop& loop_;
  WireDoor& door_;
  std::function<void()> on_known_;
};

/// Tells the Loop which Deployments somebody else scales, and calls `on_known` when all that there
/// are have been told of.
class RivalFeed final : public kube::Watcher::Listener {
 public:
  RivalFeed(Loop& loop, std::function<void()> on_known)
      : loop_(loop), on_known_(std::move(on_known)) {}

  void applied(const kube::Json& object) override { tell(rivals_.applied(object)); }
  void removed(const kube::Json& object) override { tell(rivals_.removed(object)); }
  void synced() override { on_known_(); }

 private:
  void tell(const Rivals::Touched& touched);

  Loop& loop_;
  std::function<void()> on_known_;
  Rivals rivals_;
};

/// Tells the PathTeller of the private Services, and how they are marked; and the Loop when all
/// have been seen.
class PathFeed final : public kube::Watcher::Listener {
 public:
  PathFeed(PathTeller& paths, Loop& loop) : paths_(paths), loop_(loop) {}

  void applied(const kube::Json& object) override;
  void removed(const kube::Json& object) override;
  void synced() override { loop_.paths_known(); }

 private:
  PathTeller& paths_;
  Loop& loop_;
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

/// Tells the Loop of Warnings about Pods that it knows of, from the Events that kubelet and others
/// write. What a first list holds still holds.
class WarningFeed final : public kube::Watcher::Listener {
 public:
  explicit WarningFeed(Loop& loop) : loop_(loop) {}

  void applied(const kube::Json& object) override {
    if (const auto warning = view_warning(object)) loop_.pod_warned(*warning);
  }
  void removed(const kube::Json& /*object*/) override {}

 private:
  Loop& loop_;
};

/// Sends to the Kubernetes API what was decided, on connections that are kept: PATCHes of the scale
/// subresource, and of annotations on pods and private Services. Each ends within `patch_time`, and
/// before `fence`: when somebody else may lead.
class KubeTarget final : public ScaleTarget, public PathTarget {
 public:
  /// Nothing is sent from then on, and what is sent has ended by then.
  using Fence = std::function<TimePoint()>;

  KubeTarget(kube::Client& client, Clock& clock, Duration patch_time = std::chrono::seconds(5),
             Fence fence = nullptr)
      : client_(client), clock_(clock), patch_time_(patch_time), fence_(std::move(fence)) {}

  [[nodiscard]] Task<PatchAnswer> set_replicas(std::string name_space, std::string deployment,
                                               std::int32_t replicas) override;
  /// Within 500 ms, one after another.
  [[nodiscard]] Task<> set_costs(std::string name_space, std::vector<PodCost> costs) override;
  [[nodiscard]] Task<Result<>> mark_path(std::string name_space, std::string service,
                                         bool direct) override;

 private:
  [[nodiscard]] TimePoint deadline(Duration time) const;
  [[nodiscard]] Task<Result<>> annotate(kube::Resource resource, std::string name_space,
                                        std::string name, std::string_view annotation,
                                        std::string value, TimePoint deadline);

  kube::Client& client_;
  Clock& clock_;
  Duration patch_time_;
  Fence fence_;
};

}  // namespace pilotlight::autoscaler
