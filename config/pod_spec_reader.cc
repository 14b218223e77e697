#include "config/pod_spec_reader.h"

#include <algorithm>

#include <fmt/format.h>

#include "config/scalars.h"

namespace pilotlight::config {
namespace {

using nlohmann::json;

/// Notes those of the fields that are there.
void note(ObjectReader& reader, PodSpecNotes& notes, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (reader.has(key)) notes.ignored.push_back(reader.path_of(key));
  }
}

bool is_env_name(std::string_view name) {
  const auto fits = [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7F && c != '=';
  };
  return !name.empty() && std::all_of(name.begin(), name.end(), fits);
}

std::vector<EnvVar> read_env(ObjectReader& container) {
  std::vector<EnvVar> env;
  std::size_t index = 0;
  for (const json& element : container.list("env")) {
    const std::string path = join(container.path_of("env"), index++);
    ObjectReader entry(&element, path, container.report(), container.unknown());
    EnvVar variable;
    variable.name = entry.needed_text("name", "the name of a variable");
    if (!variable.name.empty() && !is_env_name(variable.name)) {
      container.report().wrong(entry.path_of("name"), in_quotes(variable.name),
                               "a name without spaces and \"=\"");
    }
    variable.value = entry.text("value").value_or("");
    if (variable.value.find('\0') != std::string::npos) {
      container.report().wrong(entry.path_of("value"), in_quotes(variable.value),
                               "text without a zero byte");
    }
    entry.refuse("valueFrom", "value: there are no ConfigMaps, Secrets or pod fields here");
    const bool elsewhere = entry.has("valueFrom");
    entry.end();
    if (!elsewhere && !variable.name.empty()) env.push_back(std::move(variable));
  }
  return env;
}

std::vector<ContainerPort> read_ports(ObjectReader& container) {
  std::vector<ContainerPort> ports;
  std::size_t index = 0;
  for (const json& element : container.list("ports")) {
    const std::string path = join(container.path_of("ports"), index++);
    ObjectReader entry(&element, path, container.report(), container.unknown());
    ContainerPort port;
    port.name = entry.text("name").value_or("");
    const auto number = entry.integer("containerPort", 1, 65535);
    if (!entry.has("containerPort")) {
      container.report().wrong(entry.path_of("containerPort"), "nothing", "a port in [1, 65535]");
    }
    const bool strict = container.unknown() == Unknown::refused;
    if (const auto protocol = entry.text("protocol"); strict && protocol && *protocol != "TCP") {
      container.report().wrong(entry.path_of("protocol"), in_quotes(*protocol), "TCP");
    }
    if (strict && port.name == "h2c") {
      container.report().wrong(entry.path_of("name"), "\"h2c\"",
                               "http1: HTTP/2 to the app is not supported yet");
    }
    entry.refuse("hostPort", "containerPort only");
    entry.refuse("hostIP", "containerPort only");
    entry.end();
    if (!number) continue;
    port.number = static_cast<std::uint16_t>(*number);
    ports.push_back(std::move(port));
  }
  // The port for requests comes first, whatever else the container offers.
  const auto is_http = [](const ContainerPort& p) { return p.name == "http" || p.name == "http1"; };
  std::stable_partition(ports.begin(), ports.end(), is_http);
  return ports;
}

void check_port(ObjectReader& handler, const std::vector<ContainerPort>& ports) {
  const json* port = handler.field("port");
  if (port == nullptr) return;
  if (port->is_string()) {
    const auto& name = port->get_ref<const std::string&>();
    const auto same = [&](const ContainerPort& p) { return p.name == name; };
    if (!parse_port(name) && std::none_of(ports.begin(), ports.end(), same)) {
      handler.report().wrong(handler.path_of("port"), shown(*port),
                             "a number, or the name of one of the container's ports");
    }
    return;
  }
  (void)handler.integer("port", 0, 65535);
}

void check_http_get(ObjectReader http, const std::vector<ContainerPort>& ports) {
  (void)http.text("path");
  (void)http.text("host");
  check_port(http, ports);
  const auto scheme = http.text("scheme");
  if (scheme && !scheme->empty() && *scheme != "HTTP" && *scheme != "HTTPS") {
    http.report().wrong(http.path_of("scheme"), in_quotes(*scheme), "HTTP or HTTPS");
  }
  std::size_t index = 0;
  for (const json& element : http.list("httpHeaders")) {
    const std::string path = join(http.path_of("httpHeaders"), index++);
    ObjectReader header(&element, path, http.report(), http.unknown());
    (void)header.needed_text("name", "the name of a header");
    (void)header.text("value");
    header.end();
  }
  http.end();
}

void check_probe(ObjectReader probe, const std::vector<ContainerPort>& ports, PodSpecNotes& notes) {
  int handlers = 0;
  if (probe.has("httpGet")) {
    check_http_get(probe.object("httpGet"), ports);
    ++handlers;
  }
  if (probe.has("tcpSocket")) {
    ObjectReader tcp = probe.object("tcpSocket");
    (void)tcp.text("host");
    check_port(tcp, ports);
    tcp.end();
    ++handlers;
  }
  if (probe.has("exec")) {
    notes.ignored.push_back(probe.path_of("exec"));
    ++handlers;
  }
  probe.refuse("grpc", "httpGet, tcpSocket or exec");
  if (handlers > 1) {
    probe.report().wrong(probe.path(), fmt::format("{} handlers", handlers),
                         "one of httpGet, tcpSocket and exec");
  }
  for (const char* key : {"periodSeconds", "timeoutSeconds", "successThreshold"}) {
    (void)probe.integer(key, 0, 3600);
  }
  probe.ignore({"initialDelaySeconds", "failureThreshold", "terminationGracePeriodSeconds"});
  probe.end();
}

Container read_container(const json& element, const std::string& path, ObjectReader& spec,
                         PodSpecNotes& notes) {
  ObjectReader reader(&element, path, spec.report(), spec.unknown());
  Container out;
  if (auto name = reader.text("name"); name && !name->empty()) out.name = std::move(*name);
  out.image = reader.text("image").value_or("");
  out.command = reader.texts("command");
  out.args = reader.texts("args");
  out.working_dir = reader.text("workingDir").value_or("");
  out.env = read_env(reader);
  out.ports = read_ports(reader);
  if (reader.has("readinessProbe")) {
    out.readiness_probe = *reader.field("readinessProbe");
    // An API server has checked its own; what it took may hold more than we know.
    ObjectReader probe = reader.object("readinessProbe");
    if (spec.unknown() == Unknown::refused) check_probe(probe, out.ports, notes);
    if (!out.readiness_probe.is_object()) out.readiness_probe = nullptr;
  }
  reader.refuse("envFrom", "env: there are no ConfigMaps or Secrets here");
  note(reader, notes,
       {"image", "resources", "securityContext", "livenessProbe", "startupProbe", "lifecycle",
        "volumeMounts"});
  reader.ignore({"imagePullPolicy", "terminationMessagePath", "terminationMessagePolicy", "stdin",
                 "stdinOnce", "tty"});
  reader.end();
  return out;
}

void read_volumes(ObjectReader& spec, PodSpecNotes& notes) {
  std::size_t index = 0;
  for (const json& element : spec.list("volumes")) {
    const std::string path = join(spec.path_of("volumes"), index++);
    if (!element.is_object()) {
      spec.report().wrong(path, shown(element), "an object");
      continue;
    }
    bool empty_dir = false;
    for (const auto& [key, value] : element.items()) {
      if (key == "emptyDir") {
        empty_dir = true;
      } else if (key != "name") {
        spec.report().wrong(join(path, key), fmt::format("a volume of type {}", key), "emptyDir");
      }
    }
    if (empty_dir) notes.ignored.push_back(path);
  }
}

/// The one that takes requests: the one with ports. A manifest must leave no doubt.
std::size_t serving_container(ObjectReader& spec, const json::array_t& containers) {
  std::vector<std::size_t> with_ports;
  std::string names;
  for (std::size_t i = 0; i < containers.size(); ++i) {
    const json& container = containers[i];
    if (!container.is_object() || !container.contains("ports")) continue;
    if (!container["ports"].is_array() || container["ports"].empty()) continue;
    with_ports.push_back(i);
    const bool named = container.contains("name") && container["name"].is_string();
    names += fmt::format("{}{}", names.empty() ? "" : ", ",
                         named ? shown(container["name"]) : fmt::format("number {}", i + 1));
  }
  if (spec.unknown() == Unknown::refused) {
    const std::string path = spec.path_of("containers");
    if (with_ports.size() > 1) {
      spec.report().wrong(path,
                          fmt::format("{} containers with ports ({})", with_ports.size(), names),
                          "ports in one container only: the one that takes the requests");
    } else if (containers.size() > 1) {
      spec.report().wrong(path, fmt::format("{} containers", containers.size()),
                          "one container: others beside it are not run here");
    }
  }
  return with_ports.empty() ? 0 : with_ports.front();
}

}  // namespace

PodSpec read_pod_spec(ObjectReader& spec, PodSpecNotes& notes) {
  PodSpec out;
  const json::array_t& containers = spec.list("containers");
  if (containers.empty()) {
    const json* value = spec.field("containers");
    // A wrong type has been reported by list().
    if (value == nullptr || value->is_array()) {
      spec.report().wrong(spec.path_of("containers"),
                          value == nullptr ? "nothing" : "an empty list", "one container");
    }
  } else {
    const std::size_t serving = serving_container(spec, containers);
    notes.container_index = serving;
    notes.container_path = join(spec.path_of("containers"), serving);
    out.container = read_container(containers[serving], notes.container_path, spec, notes);
  }
  if (spec.unknown() == Unknown::refused) {
    read_volumes(spec, notes);
    spec.refuse("initContainers", "none: they are not run here");
  }
  const auto grace = spec.integer("terminationGracePeriodSeconds", 0, 86'400);
  if (grace) out.termination_grace = std::chrono::seconds(*grace);
  note(spec, notes,
       {"securityContext", "serviceAccountName", "serviceAccount", "nodeSelector", "tolerations",
        "affinity", "imagePullSecrets", "priorityClassName", "runtimeClassName",
        "topologySpreadConstraints", "hostAliases", "dnsConfig"});
  spec.ignore({"restartPolicy", "dnsPolicy", "schedulerName", "enableServiceLinks",
               "automountServiceAccountToken", "shareProcessNamespace", "preemptionPolicy"});
  return out;
}

}  // namespace pilotlight::config
