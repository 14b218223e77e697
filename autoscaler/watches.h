#pragma once

#include "common/kube/watcher.h"

/// Which objects of the API the autoscaler watches.
namespace pilotlight::autoscaler {

/// All of that kind with our label.
[[nodiscard]] kube::Watcher::What ours(const kube::Resource& resource);
/// Those that the controller has made.
[[nodiscard]] kube::Watcher::What private_services();
[[nodiscard]] kube::Watcher::What service_slices();
/// Events that tell of a pulled image.
[[nodiscard]] kube::Watcher::What pulled_images();
/// Events that tell what keeps a pod from starting, but for what its conditions and containers say
/// better.
[[nodiscard]] kube::Watcher::What pod_warnings();

}  // namespace pilotlight::autoscaler
