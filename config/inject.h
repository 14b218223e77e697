#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "config/problems.h"

namespace pilotlight::config {

/// Names that the webhook puts into pods.
inline constexpr const char* kSidecarName = "pilotlight-proxy";
inline constexpr const char* kTokenVolume = "pilotlight-token";
inline constexpr const char* kTokenAudience = "pilotlight";

/// What all injected sidecars of an installation have in common.
struct InjectSettings {
  std::string image = "pilotlight-proxy:latest";
  std::string pull_policy;  ///< Always, IfNotPresent or Never; "" leaves it to Kubernetes.
  /// `ip:port` of the autoscaler's wire: an address, so that no pod needs DNS. "": none.
  std::string autoscaler;
  std::string autoscaler_ca;  ///< PEM: whom sidecars take for it, over TLS; "": plain TCP.
  std::string log_level;      ///< PILOTLIGHT_LOG_LEVEL; "" leaves the sidecar's default.
  std::string cpu_request = "25m";
  std::string memory_request = "32Mi";
  std::string memory_limit = "512Mi";  ///< No limit on CPU: it would only throttle requests.
};

/// Whose pod it is. In a plain Deployment all three names but the namespace are its own.
struct PodOwner {
  std::string name_space;
  std::string service;
  std::string revision;
};

/// Whose a Pod is: its labels `serving.knative.dev/*`, else the Deployment that its ReplicaSet
/// belongs to. `name_space` is of the admission request: a Pod need not have one yet.
[[nodiscard]] Checked<PodOwner> owner_of_pod(const nlohmann::json& pod,
                                             const std::string& name_space);

/// Whose pods a Deployment makes.
[[nodiscard]] PodOwner owner_of_deployment(const nlohmann::json& deployment);

/// The Pod, or pod template, with the sidecar in it; pure, and the same again when it is already
/// there. What it does:
///
/// - a native sidecar, the first of initContainers: starts before and ends after everything else;
/// - an httpGet or tcpSocket readiness probe of the app moves to the sidecar, which asks the app
///   itself; exec and grpc ones stay, and the sidecar connects to the app beside them;
/// - a preStop that drains the sidecar, for every container that has none of its own: so the app is
///   signalled only once its last request is answered;
/// - the app gets PORT, PORT_1 to PORT_3, POD_IP, POD_NAME and K_*, before variables of its own;
/// - labels of service and revision, and a token for the autoscaler.
///
/// A template with the labels of another owner is refused. Every reason against it at once, as
/// `spec.hostNetwork: got true, expected ...`; paths begin with `where`, which is "" or as
/// "spec.template".
[[nodiscard]] Checked<nlohmann::json> inject(const nlohmann::json& pod, const PodOwner& owner,
                                             const InjectSettings& settings,
                                             const std::string& where = "");

}  // namespace pilotlight::config
