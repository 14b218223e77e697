#include "autoscaler/watches.h"

#include <string>
#include <string_view>

namespace pilotlight::autoscaler {
namespace {

kube::Watcher::What pod_events(std::string_view which) {
  kube::Watcher::What what = all_of(kube::kEvents);
  what.selector.fields = "involvedObject.kind=Pod," + std::string(which);
  return what;
}

}  // namespace

kube::Watcher::What ours(const kube::Resource& resource) {
  kube::Watcher::What what = all_of(resource);
  what.selector.labels = "pilotlight.dev/inject=true";
  return what;
}

kube::Watcher::What all_of(const kube::Resource& resource) {
  kube::Watcher::What what;
  what.resource = resource;
  return what;
}

kube::Watcher::What private_services() {
  kube::Watcher::What what = all_of(kube::kServices);
  what.selector.labels = "pilotlight.dev/private=true";
  return what;
}

kube::Watcher::What service_slices() {
  kube::Watcher::What what = all_of(kube::kEndpointSlices);
  what.selector.labels = "kubernetes.io/service-name";
  return what;
}

kube::Watcher::What pulled_images() { return pod_events("reason=Pulled"); }

kube::Watcher::What pod_warnings() {
  return pod_events("type=Warning,reason!=FailedScheduling,reason!=Unhealthy,reason!=BackOff");
}

}  // namespace pilotlight::autoscaler
