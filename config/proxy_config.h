#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

#include "config/env_reader.h"
#include "config/probe.h"
#include "config/problems.h"

namespace pilotlight::config {

/// Everything the sidecar is told at its start: Knative's queue-proxy environment (knative.md 1.2)
/// and ours (PILOTLIGHT_*). Immutable once loaded; nothing reads the environment later.
///
/// What of Knative's table is not here (tracing, metrics of the OTel kind, logging JSON, TLS
/// settings) is accepted and not used.
struct ProxyConfig {
  using Endpoint = boost::asio::ip::tcp::endpoint;

  /// CONTAINER_CONCURRENCY: requests the app may run at once, [0, 1000000]; 0 is no limit.
  std::uint32_t container_concurrency = 0;
  std::uint16_t serving_port = 8012;      ///< QUEUE_SERVING_PORT: user traffic.
  std::uint16_t serving_tls_port = 8112;  ///< QUEUE_SERVING_TLS_PORT.
  std::uint16_t user_port = 8080;         ///< USER_PORT: the app, on loopback.
  /// REVISION_TIMEOUT_SECONDS: of a whole request, waiting included; at least 1.
  std::chrono::seconds revision_timeout{300};
  /// REVISION_RESPONSE_START_TIMEOUT_SECONDS: until the first byte of the answer; 0 and absent:
  /// off.
  std::optional<std::chrono::seconds> response_start_timeout;
  /// REVISION_IDLE_TIMEOUT_SECONDS: between two writes of the answer; 0 and absent: off.
  std::optional<std::chrono::seconds> idle_timeout;
  /// SERVING_READINESS_PROBE: all must pass; none: always ready.
  std::vector<Probe> probes;

  std::string serving_namespace;      ///< SERVING_NAMESPACE
  std::string serving_service;        ///< SERVING_SERVICE, may be empty.
  std::string serving_configuration;  ///< SERVING_CONFIGURATION
  std::string serving_revision;       ///< SERVING_REVISION
  std::string serving_pod;            ///< SERVING_POD: this replica's name.
  std::string serving_pod_ip;         ///< SERVING_POD_IP: where others reach it.

  bool http_full_duplex = false;      ///< ENABLE_HTTP_FULL_DUPLEX
  bool http2_auto_detection = false;  ///< ENABLE_HTTP2_AUTO_DETECTION: of probes only.

  /// PILOTLIGHT_LISTEN_ADDRESS: where the serving port binds.
  boost::asio::ip::address listen_address = boost::asio::ip::address_v4::any();
  /// PILOTLIGHT_ADMIN_LISTEN: drain and health; listen_address:8022 by default.
  Endpoint admin_listen{boost::asio::ip::address_v4::any(), 8022};
  /// PILOTLIGHT_STATS_LISTEN: Knative's stats; listen_address:9090 by default.
  Endpoint stats_listen{boost::asio::ip::address_v4::any(), 9090};
  /// PILOTLIGHT_AUTOSCALER: where to report to; none: only Knative's stats are kept.
  std::optional<Endpoint> autoscaler;
  std::string token_file;  ///< PILOTLIGHT_TOKEN_FILE
  std::string token;       ///< What that file says, without the white space around it.
  /// PILOTLIGHT_HOLD_PERMIT=until-answered: a request whose client left keeps its permit until the
  /// app has answered, for apps that go on computing.
  bool hold_permit_until_answered = false;
  /// PILOTLIGHT_APP_DOWN=wait: a direct client's request that finds the app down waits for it, with
  /// its permit and within its deadline, instead of a 502 at once; for apps that restart in place.
  bool wait_for_app = false;
  std::string log_level = "info";  ///< PILOTLIGHT_LOG_LEVEL: error, warn, info, debug or trace.
};

/// Reads the whole environment over the defaults above, and the token file; touches nothing else.
/// Unknown names are ignored: an environment is full of them.
[[nodiscard]] Checked<ProxyConfig> load_proxy_config(const Source& source);

/// The text of `pilotlight-proxy --help`: every variable, whether it is required, its default.
[[nodiscard]] std::string proxy_help();

}  // namespace pilotlight::config
