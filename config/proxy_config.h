#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

#include "config/env_reader.h"
#include "config/observability.h"
#include "config/probe.h"
#include "config/problems.h"

namespace pilotlight::config {

/// Everything the sidecar is told at its start: Knative's queue-proxy environment
/// and ours (PILOTLIGHT_*). Immutable once loaded; nothing reads the environment later.
///
/// What of Knative's table has no effect here (tracing, metrics that are pushed, profiling) is
/// accepted; `without_effect` names what of it was asked for.
struct ProxyConfig {
  using Endpoint = boost::asio::ip::tcp::endpoint;

  /// QUEUE_PROXY_TLS_*: how the TLS port talks. Names are Go's, each one known to exist.
  struct Tls {
    std::string min_version = "1.3";  ///< _MIN_VERSION: 1.2 or 1.3.
    std::string max_version = "1.3";  ///< _MAX_VERSION: 1.2 or 1.3, not below the least.
    std::vector<std::string>
        cipher_suites;  ///< _CIPHER_SUITES: of TLS 1.2; none: all that are good.
    std::vector<std::string>
        curve_preferences;  ///< _CURVE_PREFERENCES: best first; none: the library's.
    /// PILOTLIGHT_TLS_DIR: holds tls.crt and tls.key, or there is no TLS port.
    std::string directory = "/var/lib/knative/certs";
  };

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
  /// PILOTLIGHT_AUTOSCALER_CA: PEM of who signs its certificate; with it TLS is spoken there.
  std::string autoscaler_ca;
  /// Prometheus text: asked for by OBSERVABILITY_CONFIG (listen_address:9091, moved by
  /// METRICS_PROMETHEUS_HOST and _PORT) or by PILOTLIGHT_METRICS_LISTEN; none: not served.
  std::optional<Endpoint> metrics_listen;
  std::string token_file;  ///< PILOTLIGHT_TOKEN_FILE: read again before each connect.
  std::string token;       ///< What that file says, without the white space around it.
  /// PILOTLIGHT_HOLD_PERMIT=until-answered: a request whose client left keeps its permit until the
  /// app has answered, for apps that go on computing.
  bool hold_permit_until_answered = false;
  /// PILOTLIGHT_APP_DOWN=wait: a direct client's request that finds the app down waits for it, with
  /// its permit and within its deadline, instead of a 502 at once; for apps that restart in place.
  bool wait_for_app = false;
  /// PILOTLIGHT_LOG_LEVEL, else SERVING_LOGGING_LEVEL, else the level in SERVING_LOGGING_CONFIG:
  /// error, warn, info, debug.
  std::string log_level = "info";
  bool log_json = false;  ///< SERVING_LOGGING_CONFIG has "encoding": "json", as Knative's has.

  Tls tls;
  Observability observability;  ///< OBSERVABILITY_CONFIG
  /// What was asked for and is not done, one phrase each: for one line in the log.
  std::vector<std::string> without_effect;
};

/// Reads the whole environment over the defaults above, and the token file; touches nothing else.
/// Unknown names are ignored: an environment is full of them.
[[nodiscard]] Checked<ProxyConfig> load_proxy_config(const Source& source);

/// What the command line of pilotlight-proxy asks for; nothing is to serve.
enum class ProxyAsk : std::uint8_t { serve, help, version, print_text, print_json, nonsense };
[[nodiscard]] ProxyAsk parse_proxy_arguments(const std::vector<std::string_view>& arguments);

/// The text of `pilotlight-proxy --help`: every variable, whether it is required, its default.
[[nodiscard]] std::string proxy_help();

/// Every variable with the value that is in effect, as the environment would spell it: one
/// `NAME=value` a line, or one JSON object of texts. The token is not in it, its file's name is.
[[nodiscard]] std::string effective_text(const ProxyConfig& config);
[[nodiscard]] std::string effective_json(const ProxyConfig& config);

}  // namespace pilotlight::config
