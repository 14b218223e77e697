// pilotlight-autoscaler: decides how many replicas every revision has. See `--help`.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include <CLI/CLI.hpp>

#include "autoscaler/app.h"
#include "common/base/descriptor_limit.h"
#include "common/base/log.h"
#include "config/api_access.h"

namespace {

constexpr int kExitStart = 1;
constexpr int kExitConfig = 78;  // EX_CONFIG

int refuse(const std::string& problem, int code) {
  std::fprintf(stderr, "pilotlight-autoscaler: %s\n", problem.c_str());
  return code;
}

int refuse(const pilotlight::config::Problems& problems, int code) {
  for (const std::string& problem : problems) refuse(problem, code);
  return code;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace pilotlight;
  config::ApiFlags api;
  std::string address = "127.0.0.1";
  std::string level = "info";
  std::string defaults_file;
  std::string authenticate = "token";
  autoscaler::Options options;
  CLI::App cli("Decides how many replicas every revision has.", "pilotlight-autoscaler");
  cli.set_version_flag("--version", "pilotlight-autoscaler " PILOTLIGHT_VERSION);
  cli.add_option("--kube", api.url, "Kubernetes API server, http://ip:port or https://host");
  cli.add_option("--kubeconfig", api.kubeconfig,
                 "Kubeconfig of the API server; without it and --kube the cluster's own");
  cli.add_option("--token-file", api.token_file,
                 "What the wire's HELLO must carry, and the token for --kube");
  cli.add_option("--address", address, "IP to listen on")->capture_default_str();
  cli.add_option("--wire-port", options.wire_port, "0 picks one")->capture_default_str();
  cli.add_option("--admin-port", options.admin_port, "/status, /events")->capture_default_str();
  cli.add_option("--metrics-port", options.metrics_port, "/metrics")->capture_default_str();
  cli.add_option("--config-autoscaler", defaults_file,
                 "YAML of Knative's config-autoscaler: defaults of every revision");
  cli.add_option(
      "--decision-file", options.decision_file,
      "JSON lines of what was decided and why; of about 16 MiB the newest are kept. - is "
      "standard output");
  cli.add_option("--recording", options.recording,
                 "JSON lines of every turn and every second of load, to take a run again with "
                 "`pilotlight decide`; of about 16 MiB the newest are kept")
      ->envname("PILOTLIGHT_RECORDING");
  cli.add_option("--wire-tls", options.wire_tls,
                 "Folder with tls.crt and tls.key: the wire speaks TLS 1.3 with them");
  cli.add_option("--authenticate", authenticate,
                 "Who may speak on the wire: `token`, who has that of --token-file, or `review`, "
                 "whom the API server knows by a projected token of audience `pilotlight`")
      ->check(CLI::IsMember({"token", "review"}))
      ->capture_default_str();
  cli.add_option("--namespace", options.space, "Where all of pilotlight runs")
      ->capture_default_str();
  cli.add_option("--log-level", level, "debug, info, warn, error or off")
      ->check(CLI::IsMember({"debug", "info", "warn", "error", "off"}))
      ->capture_default_str();
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& end) {
    return cli.exit(end) == 0 ? 0 : kExitConfig;
  }
  api.service_host = environment("KUBERNETES_SERVICE_HOST");
  api.service_port = environment("KUBERNETES_SERVICE_PORT");
  const auto access = config::find_api(api);
  if (!access) return refuse(access.error(), kExitConfig);
  options.kube = *access;
  ErrorCode ec;
  options.address = asio::ip::make_address(address, ec);
  if (ec) return refuse("--address: got \"" + address + "\", expected an IP", kExitConfig);
  options.review_tokens = authenticate == "review";
  if (options.review_tokens && options.wire_tls.empty()) {
    return refuse("--authenticate: got review without --wire-tls, expected both: tokens are secret",
                  kExitConfig);
  }
  if (!api.token_file.empty()) {
    std::ifstream file(api.token_file);
    if (!(file >> options.token)) {
      return refuse("--token-file: cannot read a token from " + api.token_file, kExitConfig);
    }
  }
  if (!defaults_file.empty()) {
    const auto defaults = config::load_autoscaler_defaults(defaults_file);
    if (!defaults) return refuse(defaults.error(), kExitConfig);
    options.defaults = *defaults;
  }
  start_logging("pilotlight-autoscaler", parse_log_level(level, LogLevel::info));
  options.descriptors = raise_descriptor_limit();
  int code = kExitStart;
  {
    autoscaler::App app(options);
    const auto problem = app.bind();
    code = problem ? refuse(*problem, kExitStart) : app.run();
  }
  stop_logging();
  return code;
}
