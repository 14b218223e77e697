#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/kube/resource.h"
#include "controller/service_view.h"

namespace pilotlight::controller {

/// The older form of EndpointSlices; Kubernetes copies what is left of it into slices.
inline constexpr kube::Resource kEndpoints{"", "v1", "endpoints"};

/// How a user's Service comes to stand for us, and back again. The Service keeps its name and its
/// ClusterIP; what changes is where they lead:
///
///   its own           selector -> pods           (EndpointSlices of Kubernetes)
///   preparing         the same; it has a port of its own on the activators, which open it. With
///                     pods that serve it stays so until one with a sidecar is ready
///   taken             no selector; an EndpointSlice of ours leads to the activators (proxy) or to
///                     the sidecars (serve), a second one to the pods for ports that are not the
///                     app's
///
/// Label and annotations of the Service hold all that must survive us. Every plan follows from what
/// is there, never from what was done before, so that any step may be the last one of a process.

enum class Path : std::uint8_t {
  proxy,  ///< Through the activators.
  serve,  ///< To the sidecars.
};

/// What is known of a Service and of the Deployment whose pods it selects.
struct ServiceFacts {
  Json service;
  const Json* deployment = nullptr;  ///< Ours, with the label, not on its way out; or none.
  bool several_deployments = false;  ///< It selects pods of more than one of ours.
  bool has_private_name = false;     ///< The name of a private Service, but it is none of ours.
  bool private_name_taken = false;   ///< Such a one stands in the place of the Deployment's.
  std::vector<Json> slices;          ///< All with the Service's name in their label.
  std::set<std::string> families;    ///< Of all activators' addresses; none: nothing is known.
  std::vector<Place> activators;     ///< Those that listen on the Service's port.
  std::vector<Place> pods;           ///< Of the Deployment, with a sidecar in them.
  Path path = Path::proxy;
  std::uint16_t free_port = 0;  ///< For a Service that has none yet; 0: there is none left.
};

/// One write. Updates carry the resourceVersion that they are based on, removals that of what was
/// seen; what is to be removed may be gone already.
struct Step {
  enum class Verb : std::uint8_t { create, update, remove };
  Verb verb = Verb::create;
  kube::Resource resource;
  Json object;
};

struct Plan {
  std::vector<Step> steps;  ///< In this order; none: all is as it should be, or left alone.
  std::string left_alone;   ///< Why a Service in front of our pods is not taken over; or "".
};

/// What is to be done about a Service now. Pure.
[[nodiscard]] Plan plan_service(const ServiceFacts& facts);

/// On the private Services that we have made, and on no other; and the name of a Deployment's.
inline constexpr const char* kPrivateLabel = "pilotlight.dev/private";
[[nodiscard]] std::string private_name(const Json& deployment);
[[nodiscard]] bool is_private(const Json& service);

/// The headless Service that selects the pods of a Deployment: `<revision>-private`, which is how
/// the activators find them without the autoscaler. `found` is what is there under that name, or
/// null. @return a step, or none when it is as it should be, or somebody else's.
[[nodiscard]] std::optional<Step> plan_private_service(const Json& deployment, const Json* found);

}  // namespace pilotlight::controller
