#include "config/sidecar_container.h"

#include <algorithm>
#include <string_view>

#include "config/inject_checks.h"
#include "config/sidecar_env.h"

namespace pilotlight::config {
namespace {

using nlohmann::json;

constexpr const char* kTokenFolder = "/var/run/secrets/pilotlight.dev";

/// Kubernetes reads `$(NAME)` and `$$` in the values of variables; these values are meant as they
/// are.
std::string literal(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '$' ? "$$" : std::string(1, c);
  return out;
}

json from_field(const std::string& name, const char* path) {
  return {{"name", name}, {"valueFrom", {{"fieldRef", {{"fieldPath", path}}}}}};
}

/// What only the API server and the kubelet know comes from the downward API.
json env_entry(const EnvVar& variable) {
  if (variable.name == "SERVING_NAMESPACE") return from_field(variable.name, "metadata.namespace");
  if (variable.name == "SERVING_POD") return from_field(variable.name, "metadata.name");
  if (variable.name == "SERVING_POD_IP") return from_field(variable.name, "status.podIP");
  return {{"name", variable.name}, {"value", literal(variable.value)}};
}

/// The app's probe alone, or a list with those of the other containers behind it.
void add_probes(json& env, const std::vector<Container>& others) {
  if (others.empty()) return;
  for (json& entry : env) {
    if (entry["name"] != "SERVING_READINESS_PROBE") continue;
    std::string list = "[" + entry["value"].get<std::string>();
    for (const Container& other : others) {
      list += "," + literal(sidecar_probe(other, other.declared_port()));
    }
    entry["value"] = list + "]";
  }
  env.push_back({{"name", "ENABLE_MULTI_CONTAINER_PROBES"}, {"value", "true"}});
}

std::int64_t number_in(const json& object, const char* key, std::int64_t fallback) {
  if (!object.is_object()) return fallback;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_integer()) return fallback;
  const auto value = found->get<std::int64_t>();
  return value < 1 ? fallback : std::min<std::int64_t>(value, 3600);
}

/// Asks the sidecar each second, so that a start is seen soon, and is as patient with failures as
/// the user's own probe: 3 failures at every 10 s are 30 here.
json kubelet_probe(const json& users) {
  const std::int64_t period = number_in(users, "periodSeconds", 1);
  json header = {{"name", "K-Network-Probe"}, {"value", "queue"}};
  return {{"httpGet",
           {{"path", "/"},
            {"port", kServingPort},
            {"scheme", "HTTP"},
            {"httpHeaders", json::array({std::move(header)})}}},
          {"periodSeconds", 1},
          {"timeoutSeconds", number_in(users, "timeoutSeconds", 1) + 1},
          {"successThreshold", 1},
          {"failureThreshold", number_in(users, "failureThreshold", 3) * period}};
}

json port(const char* name, std::uint16_t number) {
  return {{"name", name}, {"containerPort", number}, {"protocol", "TCP"}};
}

/// What PodSecurity "restricted" asks for, and a root file system that nobody writes.
json security_context() {
  return {{"allowPrivilegeEscalation", false},
          {"capabilities", {{"drop", json::array({"ALL"})}}},
          {"readOnlyRootFilesystem", true},
          {"runAsGroup", 65532},
          {"runAsNonRoot", true},
          {"runAsUser", 65532},
          {"seccompProfile", {{"type", "RuntimeDefault"}}}};
}

}  // namespace

json sidecar_container(const DeploymentView& view, const Container& container,
                       const std::vector<Container>& others, const InjectSettings& settings) {
  PodFacts facts;
  facts.user_port = container.declared_port();
  facts.serving_port = kServingPort;
  facts.autoscaler = settings.autoscaler;
  facts.autoscaler_ca = settings.autoscaler_ca;
  facts.token_file = settings.autoscaler.empty() ? "" : std::string(kTokenFolder) + "/token";
  facts.log_level = settings.log_level;
  json env = json::array();
  for (const EnvVar& variable : sidecar_env(view, container, facts)) {
    env.push_back(env_entry(variable));
  }
  add_probes(env, others);
  json token = {{"name", kTokenVolume}, {"mountPath", kTokenFolder}, {"readOnly", true}};
  json out = {{"name", kSidecarName},
              {"image", settings.image},
              {"restartPolicy", "Always"},
              {"env", std::move(env)},
              {"ports", json::array({port("pl-serving", kServingPort), port("pl-admin", kAdminPort),
                                     port("pl-stats", kStatsPort)})},
              {"readinessProbe", kubelet_probe(container.readiness_probe)},
              {"lifecycle", {{"preStop", drain_hook()}}},
              {"resources",
               {{"requests", {{"cpu", settings.cpu_request}, {"memory", settings.memory_request}}},
                {"limits", {{"memory", settings.memory_limit}}}}},
              {"securityContext", security_context()},
              {"volumeMounts", json::array({std::move(token)})}};
  if (!settings.pull_policy.empty()) out["imagePullPolicy"] = settings.pull_policy;
  return out;
}

json token_volume() {
  json token = {{"serviceAccountToken",
                 {{"audience", kTokenAudience}, {"expirationSeconds", 3600}, {"path", "token"}}}};
  return {{"name", kTokenVolume}, {"projected", {{"sources", json::array({std::move(token)})}}}};
}

json drain_hook() {
  return {{"httpGet", {{"path", "/begin-drain"}, {"port", kAdminPort}, {"scheme", "HTTP"}}}};
}

}  // namespace pilotlight::config
