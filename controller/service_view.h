#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "common/kube/json.h"

namespace pilotlight::controller {

using kube::Json;

/// `pilotlight.dev/managed` on a Service: "preparing" or "true". Activators open the port of both.
/// `pilotlight.dev/activator-port`: where they listen for it.
inline constexpr const char* kPortAnnotation = "pilotlight.dev/activator-port";
inline constexpr const char* kPreparing = "preparing";
inline constexpr const char* kTaken = "true";

/// Ports of the activators, one per Service: below those that kernels pick by themselves.
inline constexpr std::uint16_t kFirstServicePort = 20000;
inline constexpr std::uint16_t kLastServicePort = 29999;

/// The selector that the user gave it, wherever it is now; empty if it has none.
[[nodiscard]] Json original_selector(const Json& service);

/// Whether the Service selects the pods of this Deployment.
[[nodiscard]] bool selects(const Json& service, const Json& deployment);

/// The port that a Service has on the activators; 0 for none.
[[nodiscard]] std::uint16_t port_of(const Json& service);

/// A port for a new Service, out of those not in `used`: usually the same one for the same name.
/// 0 when all are used.
[[nodiscard]] std::uint16_t free_port(const Json& service, const std::set<std::uint16_t>& used);

/// One place that traffic may go to.
struct Place {
  std::string ip;
  std::string node;
  Json target;  ///< Its targetRef, or null.
  bool ready = false;
  bool serving = false;
  bool terminating = false;
};

/// The places in EndpointSlices, by address.
[[nodiscard]] std::vector<Place> places_in(const std::vector<Json>& slices);

}  // namespace pilotlight::controller
