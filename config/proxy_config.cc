#include "config/proxy_config.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace pilotlight::config {
namespace {

using Need = EnvReader::Need;
using Endpoint = ProxyConfig::Endpoint;

void read_limits(EnvReader& reader, ProxyConfig& config) {
  reader.integer("CONTAINER_CONCURRENCY", config.container_concurrency, 0, 1'000'000,
                 Need::required);
  reader.seconds("REVISION_TIMEOUT_SECONDS", config.revision_timeout, Need::required);
  reader.seconds("REVISION_RESPONSE_START_TIMEOUT_SECONDS", config.response_start_timeout,
                 Need::strict);
  reader.seconds("REVISION_IDLE_TIMEOUT_SECONDS", config.idle_timeout, Need::strict);
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
  reader.boolean("ENABLE_MULTI_CONTAINER_PROBES", array, Need::strict);
  reader.boolean("ENABLE_HTTP2_AUTO_DETECTION", config.http2_auto_detection, Need::strict);
  reader.boolean("ENABLE_HTTP_FULL_DUPLEX", config.http_full_duplex, Need::strict);
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
  std::optional<Endpoint> admin;
  std::optional<Endpoint> stats;
  reader.endpoint("PILOTLIGHT_ADMIN_LISTEN", admin);
  reader.endpoint("PILOTLIGHT_STATS_LISTEN", stats);
  config.admin_listen = admin.value_or(Endpoint(config.listen_address, 8022));
  config.stats_listen = stats.value_or(Endpoint(config.listen_address, 9090));
  reader.endpoint("PILOTLIGHT_AUTOSCALER", config.autoscaler);
}

void read_authority(EnvReader& reader, ProxyConfig& config) {
  constexpr const char* kName = "PILOTLIGHT_AUTOSCALER_CA";
  reader.text(kName, config.autoscaler_ca);
  const std::string& ca = config.autoscaler_ca;
  if (ca.empty() || ca.find("-----BEGIN CERTIFICATE-----") != std::string::npos) return;
  reader.wrong(kName, ca.substr(0, 40), "certificates as PEM");
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

/// The cipher suites that Go's TLS knows as good, by their names there.
constexpr std::array<std::string_view, 13> kCipherSuites = {
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
};

constexpr std::array<std::string_view, 8> kCurves = {
    "CurveP256", "CurveP384", "CurveP521", "P-256", "P-384", "P-521", "X25519", "X25519MLKEM768"};

template <std::size_t N>
void read_names(EnvReader& reader, const std::string& name, std::vector<std::string>& value,
                const std::array<std::string_view, N>& known) {
  reader.list(name, value);
  for (const std::string& element : value) {
    if (std::find(known.begin(), known.end(), element) != known.end()) continue;
    reader.wrong(name, element, fmt::format("names out of {}", fmt::join(known, ", ")));
    return;
  }
}

void read_tls(EnvReader& reader, ProxyConfig& config) {
  ProxyConfig::Tls& tls = config.tls;
  constexpr std::array<const char*, 2> kVersions = {"1.2", "1.3"};
  const auto least = reader.one_of("QUEUE_PROXY_TLS_MIN_VERSION", {"1.2", "1.3"});
  const auto most = reader.one_of("QUEUE_PROXY_TLS_MAX_VERSION", {"1.2", "1.3"});
  if (least) tls.min_version = kVersions[*least];
  if (most) tls.max_version = kVersions[*most];
  if (most && tls.max_version < tls.min_version) {
    reader.wrong("QUEUE_PROXY_TLS_MAX_VERSION", tls.max_version,
                 "at least QUEUE_PROXY_TLS_MIN_VERSION, which is " + tls.min_version);
  }
  read_names(reader, "QUEUE_PROXY_TLS_CIPHER_SUITES", tls.cipher_suites, kCipherSuites);
  read_names(reader, "QUEUE_PROXY_TLS_CURVE_PREFERENCES", tls.curve_preferences, kCurves);
  std::string directory;
  reader.text("PILOTLIGHT_TLS_DIR", directory);
  if (!directory.empty()) tls.directory = directory;
}

/// Where the endpoint of OBSERVABILITY_CONFIG, `:9091` or `ip:port`, says to listen.
Endpoint prometheus_endpoint(EnvReader& reader, const ProxyConfig& config) {
  std::string text = config.observability.request_metrics_endpoint;
  if (text.starts_with(':')) text.insert(0, config.listen_address.is_v4() ? "0.0.0.0" : "[::]");
  std::optional<Endpoint> given;
  EnvReader of_text([&text](const std::string& /*name*/) { return text; });
  of_text.endpoint("OBSERVABILITY_CONFIG: requestMetrics.endpoint", given);
  reader.append(of_text.problems());
  return given.value_or(Endpoint(config.listen_address, 9091));
}

void read_metrics(EnvReader& reader, ProxyConfig& config) {
  Endpoint where = prometheus_endpoint(reader, config);
  auto host = where.address();
  std::uint32_t port = where.port();
  reader.address("METRICS_PROMETHEUS_HOST", host);
  reader.integer("METRICS_PROMETHEUS_PORT", port, 1024, 65535);
  where = Endpoint(host, static_cast<std::uint16_t>(port));
  reader.endpoint("PILOTLIGHT_METRICS_LISTEN", config.metrics_listen);
  if (config.metrics_listen) return;
  if (config.observability.request_metrics != Observability::Metrics::prometheus) return;
  const auto certificate = reader.raw("METRICS_PROMETHEUS_TLS_CERT", Need::optional);
  if (certificate && !certificate->empty()) {
    // Not in the clear what was asked for under TLS.
    config.without_effect.emplace_back("metrics over TLS: the metrics port stays closed");
  } else {
    config.metrics_listen = where;
  }
}

void read_observability(EnvReader& reader, ProxyConfig& config) {
  std::string text;
  reader.text("OBSERVABILITY_CONFIG", text);
  auto parsed = parse_observability(text, "OBSERVABILITY_CONFIG");
  if (parsed) {
    config.observability = std::move(*parsed);
    config.without_effect = config.observability.without_effect;
  } else {
    reader.append(parsed.error());
  }
  read_metrics(reader, config);
  std::uint16_t profiling_port = 8008;
  reader.port("PROFILING_PORT", profiling_port, Need::strict);
  for (const char* name :
       {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_SAMPLER", "HTTP_PROXY", "http_proxy"}) {
    const auto value = reader.raw(name, Need::optional);
    if (value && !value->empty()) config.without_effect.emplace_back(name);
  }
}

/// zap's level names, as ours. @return nothing for a name that zap does not know either.
std::optional<std::string> zap_level(std::string_view name) {
  if (name == "debug" || name == "DEBUG") return "debug";
  if (name == "info" || name == "INFO") return "info";
  if (name == "warn" || name == "WARN") return "warn";
  for (const char* high :
       {"error", "dpanic", "panic", "fatal", "ERROR", "DPANIC", "PANIC", "FATAL"}) {
    if (name == high) return "error";
  }
  return std::nullopt;
}

/// Knative's logger falls back to its defaults when it does not understand, and so do we.
void read_logging(EnvReader& reader, ProxyConfig& config) {
  const std::string zap = reader.raw("SERVING_LOGGING_CONFIG", Need::required).value_or("");
  std::string level = reader.raw("SERVING_LOGGING_LEVEL", Need::required).value_or("");
  if (!zap.empty()) {
    const auto parsed = nlohmann::json::parse(zap, nullptr, /*allow_exceptions=*/false);
    const auto says = [&parsed](const char* key) {
      const bool there = parsed.is_object() && parsed.contains(key) && parsed[key].is_string();
      return there ? parsed[key].get<std::string>() : std::string();
    };
    if (level.empty()) level = says("level");
    config.log_json = says("encoding") == "json";
    if (parsed.is_discarded())
      config.without_effect.emplace_back("SERVING_LOGGING_CONFIG, no JSON");
  }
  if (auto known = zap_level(level)) {
    config.log_level = *known;
  } else if (!level.empty()) {
    config.without_effect.push_back(fmt::format("log level {}", in_quotes(level)));
  }
  constexpr std::array<const char*, 5> kLevels = {"error", "warn", "info", "debug", "debug"};
  const auto ours =
      reader.one_of("PILOTLIGHT_LOG_LEVEL", {"error", "warn", "info", "debug", "trace"});
  if (ours) config.log_level = kLevels[*ours];
}

}  // namespace

Checked<ProxyConfig> load_proxy_config(const Source& source) {
  EnvReader reader(source);
  ProxyConfig config;
  read_limits(reader, config);
  read_addresses(reader, config);
  read_identity(reader, config);
  read_probes(reader, config);
  read_tls(reader, config);
  read_observability(reader, config);
  read_logging(reader, config);
  read_authority(reader, config);
  read_token(reader, config);
  if (!reader.problems().empty()) return reader.problems();
  return config;
}

}  // namespace pilotlight::config
