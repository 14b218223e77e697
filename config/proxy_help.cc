// What `pilotlight-proxy --help` and `--print-config` say: one table of every variable.

#include <array>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "config/proxy_config.h"

namespace pilotlight::config {
namespace {

using Config = ProxyConfig;
using Seconds = std::chrono::seconds;

std::string yes_no(bool value) { return value ? "true" : "false"; }
std::string count(const Seconds& value) { return std::to_string(value.count()); }
std::string count(const std::optional<Seconds>& value) { return value ? count(*value) : "0"; }
std::string comma_list(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ","));
}

std::string on_one_line(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '\n' ? "\\n" : std::string(1, c);
  return out;
}

std::string where(const Config::Endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  const bool brackets = endpoint.address().is_v6();
  return (brackets ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port());
}
std::string where(const std::optional<Config::Endpoint>& endpoint) {
  return endpoint ? where(*endpoint) : "";
}

std::string metrics_part(const Config& c, bool port) {
  if (!c.metrics_listen) return "";
  return port ? std::to_string(c.metrics_listen->port()) : c.metrics_listen->address().to_string();
}

/// The probes as JSON, with our defaults filled in.
std::string probes_json(const Config& c) {
  nlohmann::json list = nlohmann::json::array();
  for (const Probe& probe : c.probes) {
    nlohmann::json handler = {{"host", probe.host.empty() ? "127.0.0.1" : probe.host},
                              {"port", probe.port == 0 ? c.user_port : probe.port}};
    const bool http = probe.kind == Probe::Kind::http;
    if (http) handler["path"] = probe.path.empty() ? "/" : probe.path;
    if (http && !probe.headers.empty()) {
      for (const auto& [name, value] : probe.headers) {
        handler["httpHeaders"].push_back({{"name", name}, {"value", value}});
      }
    }
    list.push_back({{http ? "httpGet" : "tcpSocket", std::move(handler)},
                    {"periodSeconds", probe.period.count() / 1000},
                    {"timeoutSeconds", probe.timeout.count() / 1000},
                    {"successThreshold", probe.success_threshold}});
  }
  return list.empty() ? "" : list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string observability_json(const Config& c) {
  const Observability& o = c.observability;
  const bool prometheus = o.request_metrics == Observability::Metrics::prometheus;
  return nlohmann::json{{"requestMetrics", {{"protocol", prometheus ? "prometheus" : "none"}}},
                        {"enableRequestLog", o.request_log},
                        {"enableProbeRequestLog", o.probe_request_log}}
      .dump();
}

struct Row {
  std::string_view name;
  std::string_view fallback;
  std::string_view meaning;
  std::string (*value)(const Config&);  ///< In effect; null: has no effect.
};

constexpr std::array kTable = {
    Row{"CONTAINER_CONCURRENCY", "required", "requests the app may run at once; 0: no limit",
        [](const Config& c) { return std::to_string(c.container_concurrency); }},
    Row{"QUEUE_SERVING_PORT", "required", "port for user traffic",
        [](const Config& c) { return std::to_string(c.serving_port); }},
    Row{"QUEUE_SERVING_TLS_PORT", "required", "port for user traffic over TLS",
        [](const Config& c) { return std::to_string(c.serving_tls_port); }},
    Row{"USER_PORT", "required", "port of the app, on loopback",
        [](const Config& c) { return std::to_string(c.user_port); }},
    Row{"REVISION_TIMEOUT_SECONDS", "required", "of a whole request, waiting included",
        [](const Config& c) { return count(c.revision_timeout); }},
    Row{"REVISION_RESPONSE_START_TIMEOUT_SECONDS", "0 (off)", "until the first byte of the answer",
        [](const Config& c) { return count(c.response_start_timeout); }},
    Row{"REVISION_IDLE_TIMEOUT_SECONDS", "0 (off)", "between two writes of the answer",
        [](const Config& c) { return count(c.idle_timeout); }},
    Row{"SERVING_NAMESPACE", "required", "namespace of the revision",
        [](const Config& c) { return c.serving_namespace; }},
    Row{"SERVING_SERVICE", "\"\"", "name of the service",
        [](const Config& c) { return c.serving_service; }},
    Row{"SERVING_CONFIGURATION", "required", "name of the configuration",
        [](const Config& c) { return c.serving_configuration; }},
    Row{"SERVING_REVISION", "required", "name of the revision",
        [](const Config& c) { return c.serving_revision; }},
    Row{"SERVING_POD", "required", "name of this replica",
        [](const Config& c) { return c.serving_pod; }},
    Row{"SERVING_POD_IP", "required", "address of this replica",
        [](const Config& c) { return c.serving_pod_ip; }},
    Row{"SERVING_LOGGING_CONFIG", "required",
        "zap's JSON: its level and encoding are used; may be empty",
        [](const Config& c) { return std::string(c.log_json ? "json" : "text"); }},
    Row{"SERVING_LOGGING_LEVEL", "required", "debug, info, warn, error, ...; may be empty",
        [](const Config& c) { return c.log_level; }},
    Row{"SERVING_READINESS_PROBE", "always ready", "core/v1 Probe as JSON: tcpSocket or httpGet",
        probes_json},
    Row{"ENABLE_MULTI_CONTAINER_PROBES", "false", "that JSON is a list of probes",
        [](const Config& c) { return yes_no(!c.probes.empty()); }},
    Row{"ENABLE_HTTP2_AUTO_DETECTION", "false", "HTTP probes try HTTP/2 first",
        [](const Config& c) { return yes_no(c.http2_auto_detection); }},
    Row{"ENABLE_HTTP_FULL_DUPLEX", "false", "accepted: HTTP/1.1 is always full duplex",
        [](const Config& c) { return yes_no(c.http_full_duplex); }},
    Row{"OBSERVABILITY_CONFIG", "{}", "JSON: requestMetrics, enableRequestLog, ...",
        observability_json},
    Row{"METRICS_PROMETHEUS_HOST", "<listen>", "address of the metrics port",
        [](const Config& c) { return metrics_part(c, false); }},
    Row{"METRICS_PROMETHEUS_PORT", "9091", "that port, if OBSERVABILITY_CONFIG wants it",
        [](const Config& c) { return metrics_part(c, true); }},
    Row{"METRICS_PROMETHEUS_TLS_*", "none", "not done: _CERT keeps the metrics port closed",
        nullptr},
    Row{"QUEUE_PROXY_TLS_MIN_VERSION", "1.3", "1.2 or 1.3",
        [](const Config& c) { return c.tls.min_version; }},
    Row{"QUEUE_PROXY_TLS_MAX_VERSION", "1.3", "1.2 or 1.3",
        [](const Config& c) { return c.tls.max_version; }},
    Row{"QUEUE_PROXY_TLS_CIPHER_SUITES", "all good", "comma list of Go's names, for TLS 1.2",
        [](const Config& c) { return comma_list(c.tls.cipher_suites); }},
    Row{"QUEUE_PROXY_TLS_CURVE_PREFERENCES", "the library's", "comma list: X25519, P-256, ...",
        [](const Config& c) { return comma_list(c.tls.curve_preferences); }},
    Row{"POD_NAME, HOSTNAME", "none", "accepted: names for pushed metrics, not done", nullptr},
    Row{"OTEL_*", "none", "accepted: pushed metrics and traces are not done", nullptr},
    Row{"PROFILING_PORT", "8008", "accepted: there is no Go runtime to profile", nullptr},
    Row{"HTTP_PROXY, NO_PROXY", "none", "not honoured: the app is on loopback", nullptr},
    Row{"PILOTLIGHT_LISTEN_ADDRESS", "0.0.0.0", "address of the serving port",
        [](const Config& c) { return c.listen_address.to_string(); }},
    Row{"PILOTLIGHT_ADMIN_LISTEN", "<listen>:8022", "drain and health",
        [](const Config& c) { return where(c.admin_listen); }},
    Row{"PILOTLIGHT_STATS_LISTEN", "<listen>:9090", "stats for Knative's autoscaler",
        [](const Config& c) { return where(c.stats_listen); }},
    Row{"PILOTLIGHT_METRICS_LISTEN", "none", "ip:port for metrics, wanted or not",
        [](const Config& c) { return where(c.metrics_listen); }},
    Row{"PILOTLIGHT_TLS_DIR", "/var/lib/...", "with tls.crt and tls.key; /var/lib/knative/certs",
        [](const Config& c) { return c.tls.directory; }},
    Row{"PILOTLIGHT_AUTOSCALER", "none", "ip:port to report to",
        [](const Config& c) { return where(c.autoscaler); }},
    Row{"PILOTLIGHT_AUTOSCALER_CA", "none", "PEM: TLS to the autoscaler, signed by these",
        [](const Config& c) { return on_one_line(c.autoscaler_ca); }},
    Row{"PILOTLIGHT_TOKEN_FILE", "none", "credentials for the autoscaler",
        [](const Config& c) { return c.token_file; }},
    Row{"PILOTLIGHT_HOLD_PERMIT", "until-closed", "until-answered: for apps that compute on",
        [](const Config& c) {
          return std::string(c.hold_permit_until_answered ? "until-answered" : "until-closed");
        }},
    Row{"PILOTLIGHT_APP_DOWN", "refuse", "wait: requests wait for an app that is down",
        [](const Config& c) { return std::string(c.wait_for_app ? "wait" : "refuse"); }},
    Row{"PILOTLIGHT_LOG_LEVEL", "info", "error, warn, info, debug or trace",
        [](const Config& c) { return c.log_level; }},
};

}  // namespace

ProxyAsk parse_proxy_arguments(const std::vector<std::string_view>& arguments) {
  using Words = std::vector<std::string_view>;
  if (arguments.empty()) return ProxyAsk::serve;
  if (arguments == Words{"--help"}) return ProxyAsk::help;
  if (arguments == Words{"--version"}) return ProxyAsk::version;
  if (arguments == Words{"--print-config"}) return ProxyAsk::print_text;
  if (arguments == Words{"--print-config", "-o", "text"}) return ProxyAsk::print_text;
  if (arguments == Words{"--print-config", "-o", "json"}) return ProxyAsk::print_json;
  return ProxyAsk::nonsense;
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
      "\nFlags: --help, --version, --print-config [-o text|json]: what is in effect, and end. Exit "
      "codes: 78 for\na bad environment, 1 for another failure.\n";
  return out;
}

std::string effective_text(const ProxyConfig& config) {
  std::string out;
  for (const Row& row : kTable) {
    if (row.value != nullptr) out += fmt::format("{}={}\n", row.name, row.value(config));
  }
  return out;
}

std::string effective_json(const ProxyConfig& config) {
  nlohmann::ordered_json out = nlohmann::ordered_json::object();
  for (const Row& row : kTable) {
    if (row.value != nullptr) out[std::string(row.name)] = row.value(config);
  }
  return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace pilotlight::config
