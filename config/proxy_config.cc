#include "config/proxy_config.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>

#include <fmt/format.h>

namespace pilotlight::config {
namespace {

using Need = EnvReader::Need;

void read_limits(EnvReader& reader, ProxyConfig& config) {
  reader.integer("CONTAINER_CONCURRENCY", config.container_concurrency, 0, 1'000'000,
                 Need::required);
  reader.seconds("REVISION_TIMEOUT_SECONDS", config.revision_timeout, Need::required);
  reader.seconds("REVISION_RESPONSE_START_TIMEOUT_SECONDS", config.response_start_timeout);
  reader.seconds("REVISION_IDLE_TIMEOUT_SECONDS", config.idle_timeout);
  if (const auto hold =
          reader.one_of("PILOTLIGHT_HOLD_PERMIT", {"until-closed", "until-answered"})) {
    config.hold_permit_until_answered = *hold == 1;
  }
  if (const auto down = reader.one_of("PILOTLIGHT_APP_DOWN", {"refuse", "wait"})) {
    config.wait_for_app = *down == 1;
  }
}

void read_identity(EnvReader& reader, ProxyConfig& config) {
  reader.text("SERVING_NAMESPACE", config.serving_namespace, Need::required);
  reader.text("SERVING_SERVICE", config.serving_service);
  reader.text("SERVING_CONFIGURATION", config.serving_configuration, Need::required);
  reader.text("SERVING_REVISION", config.serving_revision, Need::required);
  reader.text("SERVING_POD", config.serving_pod, Need::required);
  reader.text("SERVING_POD_IP", config.serving_pod_ip, Need::required);
}

void read_probes(EnvReader& reader, ProxyConfig& config) {
  bool array = false;
  reader.boolean("ENABLE_MULTI_CONTAINER_PROBES", array);
  reader.boolean("ENABLE_HTTP2_AUTO_DETECTION", config.http2_auto_detection);
  reader.boolean("ENABLE_HTTP_FULL_DUPLEX", config.http_full_duplex);
  std::string text;
  reader.text("SERVING_READINESS_PROBE", text);
  auto probes = parse_probes(text, array, "SERVING_READINESS_PROBE");
  if (probes) {
    config.probes = std::move(*probes);
  } else {
    reader.append(probes.error());
  }
}

void read_addresses(EnvReader& reader, ProxyConfig& config) {
  reader.port("QUEUE_SERVING_PORT", config.serving_port, Need::required);
  reader.port("QUEUE_SERVING_TLS_PORT", config.serving_tls_port, Need::required);
  reader.port("USER_PORT", config.user_port, Need::required);
  reader.address("PILOTLIGHT_LISTEN_ADDRESS", config.listen_address);
  std::optional<ProxyConfig::Endpoint> admin;
  std::optional<ProxyConfig::Endpoint> stats;
  reader.endpoint("PILOTLIGHT_ADMIN_LISTEN", admin);
  reader.endpoint("PILOTLIGHT_STATS_LISTEN", stats);
  config.admin_listen = admin.value_or(ProxyConfig::Endpoint(config.listen_address, 8022));
  config.stats_listen = stats.value_or(ProxyConfig::Endpoint(config.listen_address, 9090));
  reader.endpoint("PILOTLIGHT_AUTOSCALER", config.autoscaler);
}

void read_token(EnvReader& reader, ProxyConfig& config) {
  reader.text("PILOTLIGHT_TOKEN_FILE", config.token_file);
  if (config.token_file.empty()) return;
  constexpr std::size_t kMostBytes = 16 * 1024;
  std::string content(kMostBytes, '\0');
  std::ifstream file(config.token_file, std::ios::binary);
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = content.find_first_not_of(kSpace);
  if (first == std::string::npos) {
    reader.wrong("PILOTLIGHT_TOKEN_FILE", config.token_file, "a file that holds a token");
    return;
  }
  config.token = content.substr(first, content.find_last_not_of(kSpace) - first + 1);
}

struct Row {
  std::string_view name;
  std::string_view fallback;
  std::string_view meaning;
};

constexpr std::array<Row, 27> kTable = {{
    {"CONTAINER_CONCURRENCY", "required", "requests the app may run at once; 0: no limit"},
    {"QUEUE_SERVING_PORT", "required", "port for user traffic"},
    {"QUEUE_SERVING_TLS_PORT", "required", "port for user traffic over TLS"},
    {"USER_PORT", "required", "port of the app, on loopback"},
    {"REVISION_TIMEOUT_SECONDS", "required", "of a whole request, waiting included"},
    {"REVISION_RESPONSE_START_TIMEOUT_SECONDS", "0 (off)", "until the first byte of the answer"},
    {"REVISION_IDLE_TIMEOUT_SECONDS", "0 (off)", "between two writes of the answer"},
    {"SERVING_NAMESPACE", "required", "namespace of the revision"},
    {"SERVING_SERVICE", "\"\"", "name of the service"},
    {"SERVING_CONFIGURATION", "required", "name of the configuration"},
    {"SERVING_REVISION", "required", "name of the revision"},
    {"SERVING_POD", "required", "name of this replica"},
    {"SERVING_POD_IP", "required", "address of this replica"},
    {"SERVING_LOGGING_CONFIG", "required", "accepted, not used; may be empty"},
    {"SERVING_LOGGING_LEVEL", "required", "accepted; may be empty"},
    {"SERVING_READINESS_PROBE", "always ready", "core/v1 Probe as JSON: tcpSocket or httpGet"},
    {"ENABLE_MULTI_CONTAINER_PROBES", "false", "that JSON is a list of probes"},
    {"ENABLE_HTTP2_AUTO_DETECTION", "false", "HTTP probes try HTTP/2 first"},
    {"ENABLE_HTTP_FULL_DUPLEX", "false", "accepted: HTTP/1.1 is always full duplex"},
    {"PILOTLIGHT_LISTEN_ADDRESS", "0.0.0.0", "address of the serving port"},
    {"PILOTLIGHT_ADMIN_LISTEN", "<listen>:8022", "drain and health"},
    {"PILOTLIGHT_STATS_LISTEN", "<listen>:9090", "stats for Knative's autoscaler"},
    {"PILOTLIGHT_AUTOSCALER", "none", "ip:port to report to"},
    {"PILOTLIGHT_TOKEN_FILE", "none", "credentials for the autoscaler"},
    {"PILOTLIGHT_HOLD_PERMIT", "until-closed", "until-answered: for apps that compute on"},
    {"PILOTLIGHT_APP_DOWN", "refuse", "wait: requests wait for an app that is down"},
    {"PILOTLIGHT_LOG_LEVEL", "info", "error, warn, info, debug or trace"},
}};

}  // namespace

Checked<ProxyConfig> load_proxy_config(const Source& source) {
  EnvReader reader(source);
  ProxyConfig config;
  read_limits(reader, config);
  read_addresses(reader, config);
  read_identity(reader, config);
  read_probes(reader, config);
  read_token(reader, config);
  // Knative's loggers are not ours, but a program that checks that the names exist finds the same.
  for (const char* name : {"SERVING_LOGGING_CONFIG", "SERVING_LOGGING_LEVEL"}) {
    (void)reader.raw(name, Need::required);
  }
  if (reader.one_of("PILOTLIGHT_LOG_LEVEL", {"error", "warn", "info", "debug", "trace"})) {
    reader.text("PILOTLIGHT_LOG_LEVEL", config.log_level);
  }
  if (!reader.problems().empty()) return reader.problems();
  return config;
}

std::string proxy_help() {
  std::string out =
      "pilotlight-proxy: the sidecar in front of one replica. It is configured by its "
      "environment:\n"
      "\n";
  for (const Row& row : kTable) {
    out += fmt::format("  {:<40} {:<14} {}\n", row.name, row.fallback, row.meaning);
  }
  out +=
      "\nFlags: --help, --version. Exit codes: 78 for a bad environment, 1 for another failure.\n";
  return out;
}

}  // namespace pilotlight::config
