#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "config/problems.h"
#include "config/scaling_policy.h"

namespace pilotlight::config {

/// What the programs need of a Deployment that the API serves. A plain value.
///
/// Ours are those with the label `pilotlight.dev/inject: "true"`. Service and revision come from
/// the `serving.knative.dev/*` labels; without them both are the Deployment's own name.
struct DeploymentView {
  std::string name_space;
  std::string service;
  std::string revision;
  std::string deployment_name;
  std::string uid;
  std::string resource_version;
  bool deleting = false;  ///< It has a deletionTimestamp.

  /// From the pod template's annotations; READY's capacity wins once a replica reports.
  std::uint32_t container_concurrency = 0;  ///< 0 is no limit.
  std::chrono::seconds timeout{300};
  std::optional<std::chrono::seconds> response_start_timeout;
  std::optional<std::chrono::seconds> idle_timeout;
  bool hold_permit_until_answered = false;
  std::string manifest_folder;  ///< Laptop only; empty elsewhere.

  StringMap annotations;           ///< Of the Deployment: input of read_scaling_policy().
  StringMap template_labels;       ///< What its pods carry.
  StringMap template_annotations;  ///< What its pods carry.

  std::uint32_t replicas = 1;        ///< spec.replicas
  std::uint32_t ready_replicas = 0;  ///< status.readyReplicas

  friend bool operator==(const DeploymentView&, const DeploymentView&) = default;
};

/// Whether a Deployment (or a Pod) carries the label that makes it ours. Never throws.
[[nodiscard]] bool is_injected(const nlohmann::json& object) noexcept;

/// Reads a Deployment as the API serves it; does not ask for the label. Never throws: a wrong type
/// or a bad pilotlight.dev/* annotation is a problem, `namespace/name: path: got X, expected Y`.
[[nodiscard]] Checked<DeploymentView> view_deployment(const nlohmann::json& deployment);

}  // namespace pilotlight::config
