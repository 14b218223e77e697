#pragma once

#include <cstdint>

#include <nlohmann/json.hpp>

#include "config/json_reader.h"

namespace pilotlight::config {

/// Ports of the pod that are the sidecar's.
inline constexpr std::uint16_t kServingPort = 8012;
inline constexpr std::uint16_t kAdminPort = 8022;
inline constexpr std::uint16_t kStatsPort = 9090;

/// Whether a Pod, or pod template, has our native sidecar. Never throws.
[[nodiscard]] bool has_sidecar(const nlohmann::json& pod) noexcept;

/// Reports what keeps the sidecar out of a pod whose `spec` is at `path`: host network, ports and
/// names that are the sidecar's, HTTP/2 apps, other systems than Linux. `serving` is the index of
/// the container that takes the requests.
void check_injectable(const nlohmann::json& spec, const std::string& path, std::size_t serving,
                      Report& report);

}  // namespace pilotlight::config
