#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "config/problems.h"

namespace pilotlight::config {

struct EnvVar {
  std::string name;
  std::string value;
  friend bool operator==(const EnvVar&, const EnvVar&) = default;
};

struct ContainerPort {
  std::string name;
  std::uint16_t number = 0;
  friend bool operator==(const ContainerPort&, const ContainerPort&) = default;
};

/// The user's container. Strings are as written: `$(VAR)` is not yet expanded (container_env.h).
struct Container {
  std::string name = "user-container";
  std::string image;
  std::vector<std::string> command;
  std::vector<std::string> args;
  std::vector<EnvVar> env;
  std::string working_dir;
  std::vector<ContainerPort> ports;
  nlohmann::json readiness_probe;  ///< core/v1 Probe object, or null: the default TCP probe.

  /// The port that the manifest names, or Knative's 8080.
  [[nodiscard]] std::uint16_t declared_port() const noexcept {
    return ports.empty() ? std::uint16_t{8080} : ports.front().number;
  }

  friend bool operator==(const Container&, const Container&) = default;
};

/// What a process runtime needs of a pod's spec.
struct PodSpec {
  Container container;
  std::chrono::seconds termination_grace{30};
};

/// Reads `spec` of a Pod, or of a pod template, as the API serves it: what is not used is not
/// looked at. Never throws. Problems begin with `where`, as in `spec.containers[0].name: ...`.
[[nodiscard]] Checked<PodSpec> read_pod_spec(const nlohmann::json& spec,
                                             std::string_view where = "spec");

}  // namespace pilotlight::config
