#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "config/container.h"
#include "config/scaling_policy.h"

namespace pilotlight::config {

/// Labels and annotations of our contract, in one place.
inline constexpr const char* kServiceLabel = "serving.knative.dev/service";
inline constexpr const char* kRevisionLabel = "serving.knative.dev/revision";
inline constexpr const char* kInjectLabel = "pilotlight.dev/inject";
inline constexpr const char* kInjectSelector = "pilotlight.dev/inject=true";
inline constexpr const char* kConcurrencyAnnotation = "pilotlight.dev/container-concurrency";
inline constexpr const char* kTimeoutAnnotation = "pilotlight.dev/timeout-seconds";
inline constexpr const char* kResponseStartAnnotation =
    "pilotlight.dev/response-start-timeout-seconds";
inline constexpr const char* kIdleAnnotation = "pilotlight.dev/idle-timeout-seconds";
inline constexpr const char* kHoldPermitAnnotation = "pilotlight.dev/hold-permit";
/// The folder of the manifest, absolute: where a container without workingDir runs on a laptop.
inline constexpr const char* kFolderAnnotation = "pilotlight.dev/manifest-folder";

/// One immutable version of a service, whichever kind of manifest it came from.
struct Revision {
  std::string name_space = "default";
  std::string service;          ///< `iris`
  std::string name;             ///< `iris-00001`; a plain Deployment's own name.
  std::string deployment_name;  ///< `iris-00001-deployment`; a plain Deployment's own name.

  Container container;                      ///< A relative workingDir has become one in `folder`.
  std::uint32_t container_concurrency = 0;  ///< [0, 1000]; 0 is no limit.
  std::chrono::seconds timeout{300};
  std::optional<std::chrono::seconds> response_start_timeout;
  std::optional<std::chrono::seconds> idle_timeout;
  bool hold_permit_until_answered = false;
  std::chrono::seconds termination_grace{300};
  ScalingPolicy policy;

  StringMap labels;                ///< Of the Deployment.
  StringMap annotations;           ///< Of the Deployment: scaling, editable live.
  StringMap template_labels;       ///< Of its pods.
  StringMap template_annotations;  ///< Of its pods: what the programs need to know of them.
  StringMap selector;              ///< matchLabels of the Deployment.

  std::string folder;               ///< Of the manifest, absolute.
  std::string source;               ///< `file:line` of the container, for messages.
  std::string container_path;       ///< Where the container is in it, for messages.
  std::size_t container_index = 0;  ///< Which of the pod's containers it is.
};

/// The apps/v1 Deployment of a revision, with replicas = start scale, as a client would create it
/// (no status, no uid). Pure.
[[nodiscard]] nlohmann::json to_deployment(const Revision& revision);

/// What keeps a revision from running as processes on this machine; empty if nothing does. (On a
/// cluster an image suffices; here a command is needed.)
[[nodiscard]] Problems check_runnable_locally(const Revision& revision);

}  // namespace pilotlight::config
