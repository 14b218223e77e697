#include "local/pod_launch.h"

#include <utility>

#include <fmt/format.h>

#include "config/container_env.h"
#include "config/sidecar_env.h"

namespace pilotlight::local {
namespace {

config::EnvVar variable(std::string name, std::string value) {
  return {std::move(name), std::move(value)};
}

/// What an app finds besides its own variables.
std::vector<config::EnvVar> given_to_app(const std::string& pod,
                                         const config::DeploymentView& deployment,
                                         const LaunchSettings& settings, const LaunchFacts& facts) {
  auto given = with_path_folder(settings.environment, settings.program_folder);
  given.push_back(variable("PORT", std::to_string(facts.app_ports[0])));
  for (std::size_t i = 1; i < facts.app_ports.size(); ++i) {
    given.push_back(variable(fmt::format("PORT_{}", i), std::to_string(facts.app_ports[i])));
  }
  given.push_back(variable("POD_IP", facts.address));
  given.push_back(variable("POD_NAME", pod));
  given.push_back(variable("K_SERVICE", deployment.service));
  given.push_back(variable("K_CONFIGURATION", deployment.service));
  given.push_back(variable("K_REVISION", deployment.revision));
  return given;
}

config::PodFacts facts_for_sidecar(const std::string& pod, const LaunchSettings& settings,
                                   const LaunchFacts& facts) {
  config::PodFacts out;
  out.name = pod;
  out.ip = facts.address;
  out.user_port = facts.app_ports[0];
  out.serving_port = settings.ports.serving;
  out.autoscaler = settings.autoscaler;
  out.token_file = settings.token_file;
  out.listen_address = facts.address;
  out.admin_listen = fmt::format("{}:{}", facts.address, settings.ports.admin);
  out.stats_listen = fmt::format("{}:{}", facts.address, settings.ports.stats);
  out.log_level = settings.log_level;
  return out;
}

}  // namespace

std::vector<config::EnvVar> with_path_folder(std::vector<config::EnvVar> environment,
                                             const std::string& folder) {
  for (config::EnvVar& entry : environment) {
    if (entry.name != "PATH") continue;
    entry.value += ":" + folder;
    return environment;
  }
  environment.push_back(variable("PATH", "/usr/local/bin:/usr/bin:/bin:" + folder));
  return environment;
}

std::vector<std::string> to_exec(const std::vector<config::EnvVar>& environment) {
  std::vector<std::string> out;
  out.reserve(environment.size());
  for (const config::EnvVar& entry : environment) out.push_back(entry.name + "=" + entry.value);
  return out;
}

config::Checked<ReplicaSpec> plan_replica(const kube::Json& pod, const kube::Json& deployment,
                                          const LaunchSettings& settings,
                                          const LaunchFacts& facts) {
  const kube::Json* spec = kube::find(pod, {"spec"});
  const auto pod_spec = config::read_pod_spec(spec != nullptr ? *spec : kube::Json());
  if (!pod_spec) return pod_spec.error();
  const auto view = config::view_deployment(deployment);
  if (!view) return view.error();
  if (pod_spec->container.command.empty()) {
    return config::Problems{
        "spec.containers[0].command: got nothing, expected a command: on a laptop a container runs "
        "as a process, so its image is not enough"};
  }

  ReplicaSpec out;
  out.space = kube::namespace_of(pod);
  out.pod = kube::name_of(pod);
  out.service = view->service;
  out.revision = view->revision;
  out.address = facts.address;
  const auto given = given_to_app(out.pod, *view, settings, facts);
  config::Expanded expanded = config::expand_container(pod_spec->container, given);
  out.app.role = "app";
  out.app.argv = std::move(expanded.command);
  out.app.env = to_exec(expanded.env);
  out.app.directory = pod_spec->container.working_dir.empty() ? view->manifest_folder
                                                              : pod_spec->container.working_dir;
  out.sidecar.role = "sidecar";
  out.sidecar.argv = {settings.proxy_program};
  out.sidecar.env = to_exec(
      config::sidecar_env(*view, pod_spec->container, facts_for_sidecar(out.pod, settings, facts)));
  out.probe = {asio::ip::make_address_v4(facts.address), settings.ports.serving};
  out.app_log = settings.logs / (out.pod + ".app.log");
  out.sidecar_log = settings.logs / (out.pod + ".sidecar.log");
  return out;
}

}  // namespace pilotlight::local
