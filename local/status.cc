#include "local/status.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "config/deployment_view.h"

namespace pilotlight::local {
namespace {

using kube::Json;

const char* replica_state(const ReplicaFacts& facts) {
  switch (facts.state) {
    case ReplicaFacts::State::starting: return "starting";
    case ReplicaFacts::State::running: return facts.ready ? "ready" : "starting";
    case ReplicaFacts::State::waiting: return "waiting";
    case ReplicaFacts::State::terminating: return "draining";
    case ReplicaFacts::State::ended: return "ended";
  }
  return "unknown";
}

/// The entry of a component's /status for one revision, or an empty object.
const Json& revision_entry(const Json& status, const config::DeploymentView& view) {
  static const Json none = Json::object();
  for (const Json& entry : kube::array(status, {"revisions"})) {
    if (kube::text(entry, {"namespace"}) == view.name_space &&
        kube::text(entry, {"revision"}) == view.revision) {
      return entry;
    }
  }
  return none;
}

Json replica_entry(const std::string& name, std::string_view address,
                   const std::optional<StatusInputs::Facts>& known) {
  Json out{{"name", name}, {"address", std::string(address)}, {"state", "pending"}};
  out["app_pid"] = nullptr;
  out["sidecar_pid"] = nullptr;
  out["restarts"] = 0;
  out["last_exit"] = nullptr;
  out["last_log"] = Json::array();
  if (!known) return out;
  const ReplicaFacts& facts = known->replica;
  out["state"] = replica_state(facts);
  if (facts.app_pid != 0) out["app_pid"] = facts.app_pid;
  if (facts.sidecar_pid != 0) out["sidecar_pid"] = facts.sidecar_pid;
  out["restarts"] = facts.restarts;
  out["last_log"] = known->last_lines;
  if (facts.last_exit) {
    out["last_exit"] = facts.last_exit->story();
    if (known->last_lines.empty()) out["last_log"] = facts.last_exit->lines;
  }
  return out;
}

/// What the entry says; null when its component did not tell.
Json told(const Json& entry, std::string_view name) {
  const Json* value = kube::find(entry, {name});
  return value != nullptr && value->is_number() ? *value : Json();
}

/// The same for a text.
Json told_text(const Json& entry, std::string_view name) {
  const std::string_view text = kube::text(entry, {name});
  return text.empty() ? Json() : Json(std::string(text));
}

bool fails(const std::optional<StatusInputs::Facts>& known) {
  return known && !known->replica.ready && known->replica.last_exit &&
         known->replica.state != ReplicaFacts::State::terminating;
}

Json service_entry(const config::DeploymentView& view, const StatusInputs& inputs) {
  const Json& routed = revision_entry(inputs.activator, view);
  const Json& scaled = revision_entry(inputs.autoscaler, view);
  Json replicas = Json::array();
  bool failing = false;
  std::int64_t ready = 0;
  for (const Json& pod : inputs.pods) {
    const Json& owners = kube::array(pod, {"metadata", "ownerReferences"});
    if (owners.empty() || kube::text(owners[0], {"uid"}) != view.uid) continue;
    const std::string name(kube::name_of(pod));
    const auto known = inputs.facts(view.name_space, name);
    failing = failing || fails(known);
    if (known && known->replica.ready) ++ready;
    replicas.push_back(replica_entry(name, kube::text(pod, {"status", "podIP"}), known));
  }
  const std::int64_t desired = view.replicas;
  const std::int64_t waiting = kube::integer(routed, {"parked"}).value_or(0);
  const auto urls = inputs.urls.find(view.name_space + "/" + view.service);
  Json out{{"namespace", view.name_space},
           {"name", view.service},
           {"revision", view.revision},
           {"urls", urls == inputs.urls.end() ? Json::array() : Json(urls->second)},
           {"state", state_name(desired, ready, waiting, replicas.size(), failing)},
           {"desired", desired},
           {"ready", ready},
           {"parked", told(routed, "parked")},
           {"in_flight", told(routed, "in_flight")},
           {"requests_per_second", told(routed, "requests_per_second")},
           {"wakes", told(scaled, "wakes")},
           {"left_alone_to", told_text(scaled, "left_alone_to")},
           {"cause", told_text(scaled, "cause")},
           {"replicas", std::move(replicas)},
           {"decisions", kube::array(scaled, {"decisions"})}};
  return out;
}

}  // namespace

const char* state_name(std::int64_t desired, std::int64_t ready, std::int64_t parked,
                       std::size_t replicas, bool failing) noexcept {
  if (ready > 0) return desired == 0 ? "draining" : "awake";
  if (failing && desired > 0) return "failing";
  if (desired > 0 || parked > 0) return "waking";
  return replicas > 0 ? "draining" : "asleep";
}

Json compose_status(const StatusInputs& inputs) {
  Json services = Json::array();
  for (const Json& deployment : inputs.deployments) {
    if (!config::is_injected(deployment)) continue;
    const auto view = config::view_deployment(deployment);
    if (view) services.push_back(service_entry(*view, inputs));
  }
  Json status;
  status["services"] = std::move(services);
  return status;
}

std::string status_table(const Json& status) {
  constexpr const char* kRow = "{:<24} {:<9} {:>7} {:>7} {:>7} {:>7} {:>6}  {}\n";
  std::string out = fmt::format(fmt::runtime(kRow), "SERVICE", "STATE", "DESIRED", "READY",
                                "PARKED", "RUNNING", "WAKES", "URL");
  for (const Json& service : kube::array(status, {"services"})) {
    const auto number = [&](std::string_view name) {
      const auto value = kube::integer(service, {name});
      return value ? std::to_string(*value) : "-";
    };
    const Json& urls = kube::array(service, {"urls"});
    const std::string url = urls.empty() || !urls[0].is_string() ? "" : urls[0].get<std::string>();
    out += fmt::format(
        fmt::runtime(kRow),
        fmt::format("{}/{}", kube::text(service, {"namespace"}), kube::text(service, {"name"})),
        kube::text(service, {"state"}), number("desired"), number("ready"), number("parked"),
        number("in_flight"), number("wakes"), url);
    const std::string_view other = kube::text(service, {"left_alone_to"});
    const std::string_view cause = kube::text(service, {"cause"});
    const bool is_cause = cause.starts_with(other);  // as at 0 replicas
    if (!other.empty() && !is_cause) out += fmt::format("  left alone: {} scales it\n", other);
    if (!cause.empty()) out += fmt::format("  cause: {}\n", cause);
    for (const Json& replica : kube::array(service, {"replicas"})) {
      out += fmt::format("  {:<40} {:<15} {:<9} restarts {}", kube::text(replica, {"name"}),
                         kube::text(replica, {"address"}), kube::text(replica, {"state"}),
                         kube::integer(replica, {"restarts"}).value_or(0));
      const std::string_view last = kube::text(replica, {"last_exit"});
      out += last.empty() ? "\n" : fmt::format("  ({})\n", last);
    }
  }
  return out;
}

}  // namespace pilotlight::local
