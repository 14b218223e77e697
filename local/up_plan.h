#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

#include "config/manifest.h"
#include "local/address_block.h"
#include "local/gateway_sockets.h"
#include "local/state_dir.h"

namespace pilotlight::local {

/// What `pilotlight up` was asked for.
struct UpOptions {
  std::vector<std::string> paths;           ///< Manifests, or folders of them.
  asio::ip::tcp::endpoint listen;           ///< The gateway; port 0 picks.
  asio::ip::tcp::endpoint api;              ///< The Kubernetes API; port 0 picks.
  std::string domain = "localhost";         ///< Hosts are <service>.<namespace>.<domain>.
  std::filesystem::path state_dir;          ///< Absolute.
  std::filesystem::path programs;           ///< Folder of pilotlight-proxy and so on, absolute.
  std::vector<config::EnvVar> environment;  ///< Of this process; apps inherit it.
  std::string log_level = "info";           ///< Of the programs it starts.
  std::filesystem::path config_autoscaler;  ///< Defaults of scaling; empty for ours.
  bool colours = false;
};

/// One service and where it can be asked.
struct ServiceUrls {
  std::string name_space;
  std::string name;
  std::string deployment;
  std::vector<std::string> urls;  ///< By host first, then by port.
};

/// Why `up` did not start.
struct StartFailure {
  int exit_code = 1;  ///< 78 for manifests, 1 for everything else.
  std::vector<std::string> lines;
};

/// Everything that can fail before anything is started, done: manifests read, programs found, the
/// state dir locked, ports listening, an address block claimed.
struct UpPlan {
  config::Manifests manifests;
  StateDir state_dir;
  std::string token;
  GatewaySockets sockets;
  AddressBlock addresses;
  BlockPorts ports;
  std::vector<ServiceUrls> services;
};

/// Blocking; for start-up only.
[[nodiscard]] boost::system::result<UpPlan, StartFailure> plan_up(const UpOptions& options);

/// "echo" or "team/echo": how a service's socket is named.
[[nodiscard]] std::string socket_name(const std::string& name_space, const std::string& service);

/// "127.0.0.1:8080", "[::1]:8080".
[[nodiscard]] std::string show(const asio::ip::tcp::endpoint& where);

}  // namespace pilotlight::local
