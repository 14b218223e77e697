#include "local/api/kinds.h"

#include <array>

namespace pilotlight::local {
namespace {

constexpr std::array<Kind, 8> kKinds = {{
    {.resource = kube::kNamespaces,
     .kind = "Namespace",
     .singular = "namespace",
     .short_name = "ns",
     .namespaced = false,
     .has_status = true},
    {.resource = kube::kPods,
     .kind = "Pod",
     .singular = "pod",
     .short_name = "po",
     .has_status = true},
    {.resource = kube::kServices,
     .kind = "Service",
     .singular = "service",
     .short_name = "svc",
     .has_status = true},
    {.resource = kube::kEvents, .kind = "Event", .singular = "event", .short_name = "ev"},
    {.resource = kube::kDeployments,
     .kind = "Deployment",
     .singular = "deployment",
     .short_name = "deploy",
     .has_status = true,
     .has_scale = true},
    {.resource = kube::kEndpointSlices,
     .kind = "EndpointSlice",
     .singular = "endpointslice",
     .short_name = ""},
    // So that who looks for others that scale finds that there are none.
    {.resource = kube::kHorizontalPodAutoscalers,
     .kind = "HorizontalPodAutoscaler",
     .singular = "horizontalpodautoscaler",
     .short_name = "hpa"},
    {.resource = kube::kLeases, .kind = "Lease", .singular = "lease", .short_name = ""},
}};

}  // namespace

std::span<const Kind> kinds() noexcept { return kKinds; }

const Kind* kind_of(const kube::Resource& resource) noexcept {
  for (const Kind& kind : kKinds) {
    if (kind.resource == resource) return &kind;
  }
  return nullptr;
}

std::string api_version_of(const kube::Resource& resource) {
  if (resource.group.empty()) return std::string(resource.version);
  return std::string(resource.group) + "/" + std::string(resource.version);
}

}  // namespace pilotlight::local
