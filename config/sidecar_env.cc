#include "config/sidecar_env.h"

#include <algorithm>

#include <fmt/format.h>

#include "config/scalars.h"

namespace pilotlight::config {
namespace {

using nlohmann::json;

/// Where the app is really asked: on a laptop it listens on the port it was given, not on the one
/// that the manifest declares, so the declared port, by number or by name, means that one.
std::uint16_t probed_port(const json& handler, const Container& container,
                          std::uint16_t user_port) {
  const auto found = handler.find("port");
  if (found == handler.end()) return user_port;
  if (found->is_number_integer()) {
    const auto number = found->get<std::int64_t>();
    if (number < 1 || number > 65535 || number == container.declared_port()) return user_port;
    return static_cast<std::uint16_t>(number);
  }
  if (!found->is_string()) return user_port;
  const auto& text = found->get_ref<const std::string&>();
  std::uint16_t number = parse_port(text).value_or(0);
  for (const ContainerPort& port : container.ports) {
    if (port.name == text) number = port.number;
  }
  return number == 0 || number == container.declared_port() ? user_port : number;
}

std::string seconds_or_zero(const std::optional<std::chrono::seconds>& value) {
  return std::to_string(value ? value->count() : 0);
}

}  // namespace

std::string sidecar_probe(const Container& container, std::uint16_t user_port) {
  json probe = container.readiness_probe.is_object() ? container.readiness_probe : json::object();
  const auto object = [&](const char* key) {
    const auto found = probe.find(key);
    return found != probe.end() && found->is_object();
  };
  if (object("httpGet")) {
    json& http = probe["httpGet"];
    http["port"] = probed_port(http, container, user_port);
    http["host"] = "127.0.0.1";
    if (!http.contains("scheme") || http["scheme"] == "") http["scheme"] = "HTTP";
  } else {
    const json handler = object("tcpSocket") ? probe["tcpSocket"] : json::object();
    probe.erase("exec");
    probe.erase("grpc");
    probe["tcpSocket"] = {{"port", probed_port(handler, container, user_port)},
                          {"host", "127.0.0.1"}};
  }
  const auto number = [&](const char* key) {
    const auto found = probe.find(key);
    return found != probe.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
  };
  if (number("periodSeconds") > 0 && number("timeoutSeconds") < 1) probe["timeoutSeconds"] = 1;
  if (number("successThreshold") < 1) probe["successThreshold"] = 1;
  return probe.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::vector<EnvVar> sidecar_env(const DeploymentView& deployment, const Container& container,
                                const PodFacts& pod) {
  std::vector<EnvVar> env;
  const auto add = [&](const char* name, std::string value) {
    env.push_back(EnvVar{name, std::move(value)});
  };
  const auto add_if = [&](const char* name, const std::string& value) {
    if (!value.empty()) add(name, value);
  };
  add("CONTAINER_CONCURRENCY", std::to_string(deployment.container_concurrency));
  add("QUEUE_SERVING_PORT", std::to_string(pod.serving_port));
  add("QUEUE_SERVING_TLS_PORT", "8112");
  add("USER_PORT", std::to_string(pod.user_port));
  add("REVISION_TIMEOUT_SECONDS", std::to_string(deployment.timeout.count()));
  add("REVISION_RESPONSE_START_TIMEOUT_SECONDS",
      seconds_or_zero(deployment.response_start_timeout));
  add("REVISION_IDLE_TIMEOUT_SECONDS", seconds_or_zero(deployment.idle_timeout));
  add("SERVING_READINESS_PROBE", sidecar_probe(container, pod.user_port));
  add("SERVING_LOGGING_CONFIG", "");
  add("SERVING_LOGGING_LEVEL", "");
  add("SERVING_NAMESPACE", deployment.name_space);
  add("SERVING_SERVICE", deployment.service);
  add("SERVING_CONFIGURATION", deployment.service);
  add("SERVING_REVISION", deployment.revision);
  add("SERVING_POD", pod.name);
  add("SERVING_POD_IP", pod.ip);
  add_if("PILOTLIGHT_LISTEN_ADDRESS", pod.listen_address);
  add_if("PILOTLIGHT_ADMIN_LISTEN", pod.admin_listen);
  add_if("PILOTLIGHT_STATS_LISTEN", pod.stats_listen);
  add_if("PILOTLIGHT_AUTOSCALER", pod.autoscaler);
  add_if("PILOTLIGHT_AUTOSCALER_CA", pod.autoscaler_ca);
  add_if("PILOTLIGHT_TOKEN_FILE", pod.token_file);
  if (deployment.hold_permit_until_answered) add("PILOTLIGHT_HOLD_PERMIT", "until-answered");
  add_if("PILOTLIGHT_LOG_LEVEL", pod.log_level);
  return env;
}

}  // namespace pilotlight::config
