#include "autoscaler/watches.h"

#include <string>
#include <string_view>

#include "config/revision.h"

namespace pilotlight::autoscaler {
namespace {

kube::Watcher::What pod_events(std::string_view which) {
  auto what = kube::Watcher::What::all(kube::kEvents);
  what.selector.fields = "involvedObject.kind=Pod," + std::string(which);
  return what;
}

}  // namespace

kube::Watcher::What ours(const kube::Resource& resource) {
  return kube::Watcher::What::all(resource, config::kInjectSelector);
}

kube::Watcher::What private_services() {
  return kube::Watcher::What::all(kube::kServices, "pilotlight.dev/private=true");
}

kube::Watcher::What service_slices() {
  return kube::Watcher::What::all(kube::kEndpointSlices, "kubernetes.io/service-name");
}

kube::Watcher::What pulled_images() { return pod_events("reason=Pulled"); }

/// What view_warning() would not take anyway need not be sent.
kube::Watcher::What pod_warnings() {
  return pod_events("type=Warning,reason!=FailedScheduling,reason!=Unhealthy,reason!=BackOff");
}

}  // namespace pilotlight::autoscaler
