// pilotlight-controller: puts the sidecar into pods and the activators in front of them; see
// `--help`.

#include <cstdio>
#include <cstdlib>
#include <string>

#include <CLI/CLI.hpp>

#include "common/base/log.h"
#include "config/api_access.h"
#include "controller/app.h"

namespace {

constexpr int kExitStart = 1;
constexpr int kExitConfig = 78;  // EX_CONFIG

int refuse(const std::string& problem, int code) {
  std::fprintf(stderr, "pilotlight-controller: %s\n", problem.c_str());
  return code;
}

/// What is only text on the command line.
struct Raw {
  pilotlight::config::ApiFlags api;
  std::string hooks = "0.0.0.0:9443";
  std::string admin = "0.0.0.0:8022";
  std::string metrics = "0.0.0.0:9090";
  std::string config_autoscaler;
  std::string level = "info";
};

void declare(CLI::App& cli, Raw& raw, pilotlight::controller::Options& options) {
  auto& sidecar = options.rules.sidecar;
  cli.set_version_flag("--version", "pilotlight-controller " PILOTLIGHT_VERSION);
  cli.add_option("--kube", raw.api.url, "Kubernetes API server, http://ip:port or https://host");
  cli.add_option("--kubeconfig", raw.api.kubeconfig,
                 "Kubeconfig of the API server; without it and --kube the cluster's own");
  cli.add_option("--token-file", raw.api.token_file, "Bearer token for --kube");
  cli.add_option("--namespace", options.space, "Where all of pilotlight runs")
      ->capture_default_str();
  cli.add_option("--hooks", raw.hooks, "ADDRESS:PORT of the webhooks")->capture_default_str();
  cli.add_option("--admin", raw.admin, "ADDRESS:PORT of /healthz, /readyz and /status")
      ->capture_default_str();
  cli.add_option("--metrics", raw.metrics, "ADDRESS:PORT of /metrics")->capture_default_str();
  cli.add_option("--host", options.hosts, "Another name or address of the webhooks' certificate");
  cli.add_option("--sidecar-image", sidecar.image, "Image of the sidecar")->capture_default_str();
  cli.add_option("--sidecar-pull-policy", sidecar.pull_policy, "Of that image")
      ->check(CLI::IsMember({"Always", "IfNotPresent", "Never"}));
  cli.add_option("--sidecar-cpu", sidecar.cpu_request, "CPU that a sidecar requests")
      ->capture_default_str();
  cli.add_option("--sidecar-memory", sidecar.memory_request, "Memory that a sidecar requests")
      ->capture_default_str();
  cli.add_option("--sidecar-memory-limit", sidecar.memory_limit, "Memory that it may use")
      ->capture_default_str();
  cli.add_option("--sidecar-log-level", sidecar.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  cli.add_option("--autoscaler", sidecar.autoscaler,
                 "ADDRESS:PORT of its wire, for sidecars; default: the ClusterIP of its Service");
  cli.add_option("--config-autoscaler", raw.config_autoscaler,
                 "YAML of Knative's config-autoscaler: what annotations are checked against");
  cli.add_option("--log-level", raw.level, "debug, info, warn, error or off")
      ->check(CLI::IsMember({"debug", "info", "warn", "error", "off"}))
      ->capture_default_str();
}

/// All problems at once.
pilotlight::config::Problems check(const Raw& raw, pilotlight::controller::Options& options) {
  using namespace pilotlight;
  config::Problems problems;
  const auto endpoint = [&problems](const char* flag, const std::string& text) {
    const auto parsed = parse_endpoint(text);
    if (parsed) return *parsed;
    problems.push_back(std::string(flag) + ": got " + config::in_quotes(text) +
                       ", expected ADDRESS:PORT");
    return tcp::endpoint();
  };
  const auto access = config::find_api(raw.api);
  if (access) {
    options.kube = *access;
  } else {
    const config::Problems more = access.error();
    problems.insert(problems.end(), more.begin(), more.end());
  }
  options.hooks = endpoint("--hooks", raw.hooks);
  options.admin = endpoint("--admin", raw.admin);
  options.metrics = endpoint("--metrics", raw.metrics);
  if (!options.rules.sidecar.autoscaler.empty()) {
    (void)endpoint("--autoscaler", options.rules.sidecar.autoscaler);
  }
  if (!raw.config_autoscaler.empty()) {
    const auto defaults = config::load_autoscaler_defaults(raw.config_autoscaler);
    if (defaults) {
      options.rules.defaults = *defaults;
    } else {
      const config::Problems more = defaults.error();
      problems.insert(problems.end(), more.begin(), more.end());
    }
  }
  return problems;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace pilotlight;
  Raw raw;
  controller::Options options;
  CLI::App cli("Puts the sidecar into pods and the activators in front of them.",
               "pilotlight-controller");
  declare(cli, raw, options);
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& end) {
    return cli.exit(end) == 0 ? 0 : kExitConfig;
  }
  raw.api.service_host = environment("KUBERNETES_SERVICE_HOST");
  raw.api.service_port = environment("KUBERNETES_SERVICE_PORT");
  const config::Problems problems = check(raw, options);
  for (const std::string& problem : problems) refuse(problem, kExitConfig);
  if (!problems.empty()) return kExitConfig;
  start_logging("pilotlight-controller", parse_log_level(raw.level, LogLevel::info));
  int code = kExitStart;
  {
    controller::App app(options);
    const auto problem = app.bind();
    code = problem ? refuse(*problem, kExitStart) : app.run();
  }
  stop_logging();
  return code;
}
