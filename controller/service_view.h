#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/kube/json.h"
#include "config/managed_service.h"

namespace pilotlight::controller {

using kube::Json;

using config::kPortAnnotation;
using config::kPreparing;
using config::kTaken;
using config::original_selector;
using config::port_of;

/// Who has made an EndpointSlice (label), and what that says of one that Kubernetes made of a
/// selector.
inline constexpr const char* kManagedBy = "endpointslice.kubernetes.io/managed-by";
inline constexpr const char* kEndpointSliceController = "endpointslice-controller.k8s.io";

/// A port for a new Service, out of those not `used`: usually the same one for the same name. 0
/// when all are used.
[[nodiscard]] std::uint16_t free_port(const Json& service,
                                      const std::function<bool(std::uint16_t)>& used);

/// One place that traffic may go to.
struct Place {
  std::string ip;
  std::string node;
  Json target;  ///< Its targetRef, or null.
  bool ready = false;
  bool serving = false;
  bool terminating = false;
};

/// "IPv4" or "IPv6", as a Service's ipFamilies and a slice's addressType have it.
[[nodiscard]] std::string_view family_of(const Place& place) noexcept;

/// The places in EndpointSlices, by address.
[[nodiscard]] std::vector<Place> places_in(const std::vector<Json>& slices);

/// Whether what Kubernetes has made of a selector leads to a pod that is not of the Deployment, by
/// the names of the pods: of a Deployment without our label nothing else is known.
[[nodiscard]] bool leads_to_others(const std::vector<Json>& slices, const Json& deployment);

}  // namespace pilotlight::controller
