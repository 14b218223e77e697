#include "config/proxy_config.h"

#include <cstdio>
#include <fstream>
#include <map>

#include <gtest/gtest.h>

namespace pilotlight::config {
namespace {

using namespace std::chrono_literals;
using Environment = std::map<std::string, std::string>;

Source source(const Environment& environment) {
  return [&environment](const std::string& name) -> std::optional<std::string> {
    const auto found = environment.find(name);
    if (found == environment.end()) return std::nullopt;
    return found->second;
  };
}

/// What Knative's controller always sets.
Environment required() {
  return {{"CONTAINER_CONCURRENCY", "4"},     {"QUEUE_SERVING_PORT", "8012"},
          {"QUEUE_SERVING_TLS_PORT", "8112"}, {"USER_PORT", "9000"},
          {"REVISION_TIMEOUT_SECONDS", "60"}, {"SERVING_LOGGING_CONFIG", ""},
          {"SERVING_LOGGING_LEVEL", ""},      {"SERVING_NAMESPACE", "default"},
          {"SERVING_CONFIGURATION", "iris"},  {"SERVING_REVISION", "iris-00001"},
          {"SERVING_POD", "iris-00001-x"},    {"SERVING_POD_IP", "127.9.9.10"}};
}

Problems problems(const Environment& environment) {
  const auto config = load_proxy_config(source(environment));
  return config ? Problems() : config.error();
}

std::string problem_with(const std::string& name, const std::string& value) {
  Environment environment = required();
  environment[name] = value;
  const Problems found = problems(environment);
  EXPECT_LE(found.size(), 1U);
  return found.empty() ? "no problem" : found.front();
}

TEST(ProxyConfig, TheRequiredNamesSuffice) {
  const Environment environment = required();
  const auto config = load_proxy_config(source(environment));
  ASSERT_TRUE(config);
  EXPECT_EQ(config->container_concurrency, 4U);
  EXPECT_EQ(config->serving_port, 8012);
  EXPECT_EQ(config->user_port, 9000);
  EXPECT_EQ(config->revision_timeout, 60s);
  EXPECT_FALSE(config->response_start_timeout || config->idle_timeout || config->autoscaler);
  EXPECT_TRUE(config->probes.empty());
  EXPECT_EQ(config->serving_revision, "iris-00001");
  EXPECT_EQ(config->admin_listen.port(), 8022);
  EXPECT_TRUE(config->stats_listen.address().is_unspecified());
  EXPECT_EQ(config->log_level, "info");
}

TEST(ProxyConfig, EveryRequiredNameIsMissedByNameAllAtOnce) {
  const Problems found = problems({});
  EXPECT_EQ(found.size(), required().size());
  for (const auto& [name, value] : required()) {
    const std::string wanted = name + ": not set, and it is required";
    EXPECT_NE(std::find(found.begin(), found.end(), wanted), found.end()) << wanted;
  }
}

TEST(ProxyConfig, OptionalOnesAreRead) {
  Environment environment = required();
  environment["REVISION_RESPONSE_START_TIMEOUT_SECONDS"] = "30";
  environment["REVISION_IDLE_TIMEOUT_SECONDS"] = "0";
  environment["SERVING_READINESS_PROBE"] = R"([{"tcpSocket":{"port":9000}}])";
  environment["ENABLE_MULTI_CONTAINER_PROBES"] = "true";
  environment["ENABLE_HTTP_FULL_DUPLEX"] = "1";
  environment["SERVING_SERVICE"] = "iris";
  environment["PILOTLIGHT_LISTEN_ADDRESS"] = "127.9.9.10";
  environment["PILOTLIGHT_STATS_LISTEN"] = "[::1]:0";
  environment["PILOTLIGHT_AUTOSCALER"] = "127.9.9.3:9444";
  environment["PILOTLIGHT_HOLD_PERMIT"] = "until-answered";
  environment["PILOTLIGHT_APP_DOWN"] = "wait";
  environment["PILOTLIGHT_LOG_LEVEL"] = "debug";
  environment["SOMETHING_ELSE"] = "is ignored";
  const auto config = load_proxy_config(source(environment));
  ASSERT_TRUE(config) << config.error().front();
  EXPECT_EQ(config->response_start_timeout, 30s);
  EXPECT_FALSE(config->idle_timeout) << "0 is off";
  EXPECT_EQ(config->probes.size(), 1U);
  EXPECT_TRUE(config->http_full_duplex);
  EXPECT_EQ(config->admin_listen.address().to_string(), "127.9.9.10")
      << "follows the listen address";
  EXPECT_EQ(config->stats_listen.address().to_string(), "::1");
  ASSERT_TRUE(config->autoscaler);
  EXPECT_EQ(config->autoscaler->port(), 9444);
  EXPECT_TRUE(config->hold_permit_until_answered);
  EXPECT_TRUE(config->wait_for_app);
  EXPECT_EQ(config->log_level, "debug");
}

TEST(ProxyConfig, WrongValuesAreNamed) {
  EXPECT_EQ(problem_with("CONTAINER_CONCURRENCY", ""),
            "CONTAINER_CONCURRENCY: got \"\", expected an integer in [0, 1000000]");
  EXPECT_EQ(problem_with("CONTAINER_CONCURRENCY", "-1"),
            "CONTAINER_CONCURRENCY: got \"-1\", expected an integer in [0, 1000000]");
  EXPECT_EQ(problem_with("USER_PORT", "0"), "USER_PORT: got \"0\", expected a port in [1, 65535]");
  EXPECT_EQ(problem_with("REVISION_TIMEOUT_SECONDS", "5s"),
            "REVISION_TIMEOUT_SECONDS: got \"5s\", expected whole seconds in [1, 86400]");
  EXPECT_EQ(problem_with("REVISION_IDLE_TIMEOUT_SECONDS", "-1"),
            "REVISION_IDLE_TIMEOUT_SECONDS: got \"-1\", expected whole seconds in [0, 86400]");
  EXPECT_EQ(problem_with("ENABLE_HTTP_FULL_DUPLEX", "yes"),
            "ENABLE_HTTP_FULL_DUPLEX: got \"yes\", expected true or false");
  EXPECT_EQ(problem_with("PILOTLIGHT_LISTEN_ADDRESS", "localhost"),
            "PILOTLIGHT_LISTEN_ADDRESS: got \"localhost\", expected an IP address");
  for (const char* value :
       {"127.0.0.1", "127.0.0.1:70000", "host:1", "::1:80", "[::1]", "1.2.3.4:+1"}) {
    EXPECT_EQ(problem_with("PILOTLIGHT_AUTOSCALER", value),
              "PILOTLIGHT_AUTOSCALER: got \"" + std::string(value) +
                  "\", expected an IP address and a port, like 127.0.0.1:9444");
  }
  EXPECT_EQ(problem_with("PILOTLIGHT_HOLD_PERMIT", "always"),
            "PILOTLIGHT_HOLD_PERMIT: got \"always\", expected until-closed or until-answered");
  EXPECT_EQ(problem_with("PILOTLIGHT_APP_DOWN", "hide"),
            "PILOTLIGHT_APP_DOWN: got \"hide\", expected refuse or wait");
  EXPECT_EQ(problem_with("PILOTLIGHT_LOG_LEVEL", "loud"),
            "PILOTLIGHT_LOG_LEVEL: got \"loud\", expected error, warn, info, debug or trace");
  EXPECT_EQ(problem_with("SERVING_READINESS_PROBE", "{}"),
            "SERVING_READINESS_PROBE: got no handler, expected one of tcpSocket and httpGet");
  EXPECT_EQ(problem_with("PILOTLIGHT_TOKEN_FILE", "/nowhere/token"),
            "PILOTLIGHT_TOKEN_FILE: got \"/nowhere/token\", expected a file that holds a token");
  EXPECT_EQ(problem_with("PILOTLIGHT_AUTOSCALER_CA", "/etc/ca.crt"),
            "PILOTLIGHT_AUTOSCALER_CA: got \"/etc/ca.crt\", expected certificates as PEM");
}

TEST(ProxyConfig, AnEmptyTextIsFineAndAnEmptyNumberIsNotAsInKnative) {
  for (const char* text :
       {"SERVING_SERVICE", "SERVING_POD", "SERVING_LOGGING_CONFIG", "SERVING_READINESS_PROBE",
        "OBSERVABILITY_CONFIG", "QUEUE_PROXY_TLS_MIN_VERSION", "QUEUE_PROXY_TLS_CIPHER_SUITES"}) {
    EXPECT_EQ(problem_with(text, ""), "no problem") << text;
  }
  for (const char* typed :
       {"CONTAINER_CONCURRENCY", "USER_PORT", "REVISION_TIMEOUT_SECONDS",
        "REVISION_RESPONSE_START_TIMEOUT_SECONDS", "REVISION_IDLE_TIMEOUT_SECONDS",
        "ENABLE_MULTI_CONTAINER_PROBES", "ENABLE_HTTP2_AUTO_DETECTION", "ENABLE_HTTP_FULL_DUPLEX",
        "PROFILING_PORT"}) {
    EXPECT_TRUE(problem_with(typed, "").starts_with(std::string(typed) + ": got \"\"")) << typed;
  }
}

TEST(ProxyConfig, TlsSettingsAreCheckedByName) {
  Environment environment = required();
  auto config = load_proxy_config(source(environment));
  ASSERT_TRUE(config);
  EXPECT_EQ(config->tls.min_version, "1.3");
  EXPECT_EQ(config->tls.directory, "/var/lib/knative/certs");
  environment["QUEUE_PROXY_TLS_MIN_VERSION"] = "1.2";
  environment["QUEUE_PROXY_TLS_CIPHER_SUITES"] =
      "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256";
  environment["QUEUE_PROXY_TLS_CURVE_PREFERENCES"] = "X25519,CurveP256";
  environment["PILOTLIGHT_TLS_DIR"] = "/certs";
  config = load_proxy_config(source(environment));
  ASSERT_TRUE(config) << config.error().front();
  EXPECT_EQ(config->tls.min_version, "1.2");
  EXPECT_EQ(config->tls.max_version, "1.3");
  EXPECT_EQ(config->tls.cipher_suites.size(), 2U);
  EXPECT_EQ(config->tls.curve_preferences, (std::vector<std::string>{"X25519", "CurveP256"}));
  EXPECT_EQ(config->tls.directory, "/certs");
  EXPECT_EQ(problem_with("QUEUE_PROXY_TLS_MIN_VERSION", "1.1"),
            "QUEUE_PROXY_TLS_MIN_VERSION: got \"1.1\", expected 1.2 or 1.3");
  EXPECT_EQ(problem_with("QUEUE_PROXY_TLS_MAX_VERSION", "1.2"),
            "QUEUE_PROXY_TLS_MAX_VERSION: got \"1.2\", expected at least "
            "QUEUE_PROXY_TLS_MIN_VERSION, which is 1.3");
  EXPECT_TRUE(problem_with("QUEUE_PROXY_TLS_CIPHER_SUITES", "TLS_RSA_WITH_RC4_128_SHA")
                  .starts_with("QUEUE_PROXY_TLS_CIPHER_SUITES: got \"TLS_RSA_WITH_RC4_128_SHA\""));
  EXPECT_TRUE(problem_with("QUEUE_PROXY_TLS_CURVE_PREFERENCES", "P-257")
                  .starts_with("QUEUE_PROXY_TLS_CURVE_PREFERENCES: got \"P-257\""));
}

TEST(ProxyConfig, TheMetricsPortOpensWhenItIsAskedFor) {
  Environment environment = required();
  const auto metrics = [&environment] {
    const auto config = load_proxy_config(source(environment));
    EXPECT_TRUE(config);
    if (!config || !config->metrics_listen) return std::string("closed");
    return config->metrics_listen->address().to_string() + " " +
           std::to_string(config->metrics_listen->port());
  };
  EXPECT_EQ(metrics(), "closed");
  environment["METRICS_PROMETHEUS_PORT"] = "9191";
  EXPECT_EQ(metrics(), "closed") << "nobody asked for metrics";
  environment["OBSERVABILITY_CONFIG"] = R"({"requestMetrics":{"protocol":"prometheus"}})";
  EXPECT_EQ(metrics(), "0.0.0.0 9191");
  environment.erase("METRICS_PROMETHEUS_PORT");
  environment["METRICS_PROMETHEUS_HOST"] = "127.0.0.1";
  EXPECT_EQ(metrics(), "127.0.0.1 9091");
  environment["METRICS_PROMETHEUS_TLS_CERT"] = "/certs/tls.crt";
  EXPECT_EQ(metrics(), "closed") << "not in the clear what was asked for under TLS";
  environment["PILOTLIGHT_METRICS_LISTEN"] = "127.0.0.1:7000";
  EXPECT_EQ(metrics(), "127.0.0.1 7000");
  EXPECT_EQ(problem_with("METRICS_PROMETHEUS_PORT", "80"),
            "METRICS_PROMETHEUS_PORT: got \"80\", expected an integer in [1024, 65535]");
}

TEST(ProxyConfig, TheLogLevelIsOursElseKnativesElseOfItsJson) {
  Environment environment = required();
  const auto level = [&environment] { return load_proxy_config(source(environment))->log_level; };
  EXPECT_EQ(level(), "info");
  environment["SERVING_LOGGING_CONFIG"] = R"({"level":"error","encoding":"json"})";
  EXPECT_EQ(level(), "error");
  environment["SERVING_LOGGING_LEVEL"] = "warn";
  EXPECT_EQ(level(), "warn");
  environment["SERVING_LOGGING_LEVEL"] = "dpanic";
  EXPECT_EQ(level(), "error");
  environment["PILOTLIGHT_LOG_LEVEL"] = "trace";
  EXPECT_EQ(level(), "debug") << "the lowest there is";
}

TEST(ProxyConfig, LinesAreJsonWhereKnativesWouldBe) {
  Environment environment = required();
  const auto json = [&environment] { return load_proxy_config(source(environment))->log_json; };
  EXPECT_FALSE(json());
  environment["SERVING_LOGGING_CONFIG"] = R"({"level":"info","encoding":"json"})";
  EXPECT_TRUE(json());
  environment["SERVING_LOGGING_LEVEL"] = "warn";
  EXPECT_TRUE(json()) << "the level has another place, the encoding has not";
  environment["SERVING_LOGGING_CONFIG"] = R"({"encoding":"console"})";
  EXPECT_FALSE(json());
}

TEST(ProxyConfig, WhatIsAcceptedButNotDoneIsNamed) {
  Environment environment = required();
  for (const char* for_extensions : {"SYSTEM_NAMESPACE", "HOST_IP", "ROOT_CA"}) {
    environment[for_extensions] = "set by the controller, read by nobody";
  }
  EXPECT_TRUE(load_proxy_config(source(environment))->without_effect.empty());
  environment["SERVING_LOGGING_LEVEL"] = "loud";
  environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://collector:4317";
  environment["OBSERVABILITY_CONFIG"] =
      R"({"tracing":{"protocol":"grpc"},"requestMetrics":{"protocol":"grpc"}})";
  const auto config = load_proxy_config(source(environment));
  ASSERT_TRUE(config);
  EXPECT_EQ(config->without_effect,
            (std::vector<std::string>{"requestMetrics over grpc", "tracing",
                                      "OTEL_EXPORTER_OTLP_ENDPOINT", "log level \"loud\""}));
}

TEST(ProxyConfig, TheTokenIsTheFileWithoutWhiteSpace) {
  const std::string file = ::testing::TempDir() + "proxy_config_test_token";
  std::ofstream(file) << "  s3cret\n";
  Environment environment = required();
  environment["PILOTLIGHT_TOKEN_FILE"] = file;
  const auto config = load_proxy_config(source(environment));
  std::remove(file.c_str());
  ASSERT_TRUE(config);
  EXPECT_EQ(config->token, "s3cret");
}

}  // namespace
}  // namespace pilotlight::config
