#pragma once

#include <string>
#include <string_view>

namespace pilotlight::kube {

/// A kind of object as the API's paths name it.
struct Resource {
  std::string_view group;    ///< "" for the core group.
  std::string_view version;  ///< "v1".
  std::string_view plural;   ///< "deployments".

  bool operator==(const Resource&) const = default;
};

inline constexpr Resource kNamespaces{"", "v1", "namespaces"};
inline constexpr Resource kPods{"", "v1", "pods"};
inline constexpr Resource kServices{"", "v1", "services"};
inline constexpr Resource kEvents{"", "v1", "events"};
inline constexpr Resource kDeployments{"apps", "v1", "deployments"};
inline constexpr Resource kEndpointSlices{"discovery.k8s.io", "v1", "endpointslices"};
inline constexpr Resource kHorizontalPodAutoscalers{"autoscaling", "v2",
                                                    "horizontalpodautoscalers"};
inline constexpr Resource kLeases{"coordination.k8s.io", "v1", "leases"};

/// "/apis/apps/v1/namespaces/ns/deployments/name/scale", each part percent-encoded. An empty space
/// means all namespaces, an empty name the collection, an empty subresource the object itself.
[[nodiscard]] std::string path_of(const Resource& resource, std::string_view space,
                                  std::string_view name = {}, std::string_view subresource = {});

}  // namespace pilotlight::kube
