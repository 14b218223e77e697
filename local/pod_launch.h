#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/kube/json.h"
#include "config/container.h"
#include "config/problems.h"
#include "local/address_block.h"
#include "local/replica.h"

namespace pilotlight::local {

/// What all replicas of one `up` have in common.
struct LaunchSettings {
  std::string proxy_program;                ///< pilotlight-proxy, absolute.
  std::string program_folder;               ///< Looked at last for apps' commands.
  std::vector<config::EnvVar> environment;  ///< Of `up` itself; apps inherit it.
  BlockPorts ports;
  std::string autoscaler;  ///< `ip:port` of its wire.
  std::string token_file;
  std::string log_level;
  std::filesystem::path logs;  ///< Folder.
};

/// What this replica alone has.
struct LaunchFacts {
  std::string address;
  std::array<std::uint16_t, 4> app_ports{};  ///< PORT, PORT_1, PORT_2, PORT_3.
};

/// What to start for a Pod of a Deployment, both as the API has them. Pure. The app gets what it
/// would get in a cluster (PORT, K_SERVICE, K_REVISION, K_CONFIGURATION, POD_IP, POD_NAME,
/// PORT_1..3) over `up`'s own environment, then the container's own variables.
[[nodiscard]] config::Checked<ReplicaSpec> plan_replica(const kube::Json& pod,
                                                        const kube::Json& deployment,
                                                        const LaunchSettings& settings,
                                                        const LaunchFacts& facts);

/// PATH with `folder` as its last element, in a copy of `environment`.
[[nodiscard]] std::vector<config::EnvVar> with_path_folder(std::vector<config::EnvVar> environment,
                                                           const std::string& folder);

/// "NAME=value", as exec wants them.
[[nodiscard]] std::vector<std::string> to_exec(const std::vector<config::EnvVar>& environment);

}  // namespace pilotlight::local
