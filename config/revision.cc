#include "config/revision.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

namespace pilotlight::config {
namespace {

using nlohmann::json;

/// What the laptop gives every app; a container that sets one would not listen where it is asked.
constexpr std::array<std::string_view, 8> kReserved = {
    "PORT", "PORT_1", "PORT_2", "PORT_3", "POD_IP", "K_SERVICE", "K_CONFIGURATION", "K_REVISION"};

json env_of(const Container& container) {
  json out = json::array();
  for (const EnvVar& variable : container.env) {
    out.push_back({{"name", variable.name}, {"value", variable.value}});
  }
  return out;
}

json ports_of(const Container& container) {
  json out = json::array();
  for (const ContainerPort& port : container.ports) {
    json entry = {{"containerPort", port.number}, {"protocol", "TCP"}};
    if (!port.name.empty()) entry["name"] = port.name;
    out.push_back(std::move(entry));
  }
  return out;
}

json container_of(const Container& container) {
  json out = {{"name", container.name}};
  if (!container.image.empty()) out["image"] = container.image;
  if (!container.command.empty()) out["command"] = container.command;
  if (!container.args.empty()) out["args"] = container.args;
  if (!container.env.empty()) out["env"] = env_of(container);
  if (!container.working_dir.empty()) out["workingDir"] = container.working_dir;
  if (!container.ports.empty()) out["ports"] = ports_of(container);
  if (container.readiness_probe.is_object()) out["readinessProbe"] = container.readiness_probe;
  return out;
}

StringMap template_annotations(const Revision& revision) {
  StringMap out = revision.template_annotations;
  out[kConcurrencyAnnotation] = std::to_string(revision.container_concurrency);
  out[kTimeoutAnnotation] = std::to_string(revision.timeout.count());
  if (revision.response_start_timeout) {
    out[kResponseStartAnnotation] = std::to_string(revision.response_start_timeout->count());
  }
  if (revision.idle_timeout) out[kIdleAnnotation] = std::to_string(revision.idle_timeout->count());
  if (revision.hold_permit_until_answered) out[kHoldPermitAnnotation] = "until-answered";
  if (!revision.folder.empty()) out[kFolderAnnotation] = revision.folder;
  return out;
}

}  // namespace

json to_deployment(const Revision& revision) {
  const json pod = {
      {"metadata",
       {{"labels", revision.template_labels}, {"annotations", template_annotations(revision)}}},
      {"spec",
       {{"containers", json::array({container_of(revision.container)})},
        {"terminationGracePeriodSeconds", revision.termination_grace.count()}}}};
  return {{"apiVersion", "apps/v1"},
          {"kind", "Deployment"},
          {"metadata",
           {{"name", revision.deployment_name},
            {"namespace", revision.name_space},
            {"labels", revision.labels},
            {"annotations", revision.annotations}}},
          {"spec",
           {{"replicas", revision.policy.start_scale()},
            {"selector", {{"matchLabels", revision.selector}}},
            {"template", pod}}}};
}

Problems check_runnable_locally(const Revision& revision) {
  Problems problems;
  const auto wrong = [&](std::string_view path, std::string_view got, std::string_view expected) {
    const std::string_view colon = revision.source.empty() ? "" : ": ";
    problems.push_back(fmt::format("{}{}{}.{}: {}", revision.source, colon, revision.container_path,
                                   path, got_expected(got, expected)));
  };
  const Container& container = revision.container;
  if (container.command.empty()) {
    wrong("command", "nothing",
          "a command: a container runs as a process on this machine, its image is not used");
  } else if (container.command.front().empty()) {
    wrong("command[0]", "\"\"", "the name of a program");
  }
  for (std::size_t i = 0; i < container.env.size(); ++i) {
    const std::string& name = container.env[i].name;
    if (std::find(kReserved.begin(), kReserved.end(), name) == kReserved.end()) continue;
    wrong(fmt::format("env[{}].name", i), in_quotes(name),
          "another name: every replica is given its own " + name);
  }
  return problems;
}

}  // namespace pilotlight::config
