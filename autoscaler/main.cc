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
#include "config/number_option.h"
#include "config/problems.h"

namespace {

constexpr int kExitStart = 1;
constexpr int kExitConfig = 78;  // EX_CONFIG

int refuse(const std::string& problem, int code) {
  std::fprintf(stderr, "pilotlight-autoscaler: %s\n", problem.c_str());
  return code;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// What is only text on the command line, and in the environment.
struct Raw {
  pilotlight::config::ApiFlags api;
  std::string address = "127.0.0.1";
  std::string lease;
  std::string defaults_file;
  std::string authenticate = "token";
  std::string level = "info";
};

void declare(CLI::App& cli, Raw& raw, pilotlight::autoscaler::Options& options) {
  cli.set_version_flag("--version", "pilotlight-autoscaler " PILOTLIGHT_VERSION);
  cli.add_option("--kube", raw.api.url, "Kubernetes API server, http://ip:port or https://host");
  cli.add_option("--kubeconfig", raw.api.kubeconfig,
                 "Kubeconfig of the API server; without it and --kube the cluster's own");
  cli.add_option("--token-file", raw.api.token_file,
                 "What the wire's HELLO must carry, and the token for --kube");
  cli.add_option("--address", raw.address, "IP to listen on")->capture_default_str();
  pilotlight::config::add_number(cli, "--wire-port", options.wire_port, "0 picks one");
  pilotlight::config::add_number(cli, "--admin-port", options.admin_port, "/status, /events");
  pilotlight::config::add_number(cli, "--metrics-port", options.metrics_port, "/metrics");
  cli.add_option("--config-autoscaler", raw.defaults_file,
                 "YAML of Knative's config-autoscaler: defaults of every revision");
  cli.add_option(
      "--decision-file", options.decision_file,
      "JSON lines of what was decided and why; of about 16 MiB the newest are kept. - is "
      "standard output");
  cli.add_option("--recording", options.recording,
                 "JSON lines of every turn and every second of load, to take a run again with "
                 "`pilotlight decide`; of about 16 MiB the newest are kept");
  cli.add_option("--wire-tls", options.wire_tls,
                 "Folder with tls.crt and tls.key: the wire speaks TLS 1.3 with them");
  cli.add_option("--authenticate", raw.authenticate,
                 "Who may speak on the wire: `token`, who has that of --token-file, or `review`, "
                 "whom the API server knows by a projected token of audience `pilotlight`")
      ->check(CLI::IsMember({"token", "review"}))
      ->capture_default_str();
  cli.add_option("--namespace", options.space, "Where all of pilotlight runs")
      ->capture_default_str();
  cli.add_option("--lease", raw.lease,
                 "NAMESPACE/NAME of a Lease: of several autoscalers the one that holds it decides. "
                 "Without it this one does");
  cli.add_option("--advertise", options.advertise,
                 "With --lease: the IP where sidecars and activators reach this one (default: "
                 "$POD_IP, else --address)");
  cli.add_option("--log-level", raw.level, "debug, info, warn, error or off")
      ->check(CLI::IsMember({"debug", "info", "warn", "error", "off"}))
      ->capture_default_str();
}

std::string unexpected(const char* flag, const std::string& got, const char* expected) {
  return std::string(flag) + ": got " + pilotlight::config::in_quotes(got) + ", expected " +
         expected;
}

void check_lease(const Raw& raw, pilotlight::autoscaler::Options& options,
                 pilotlight::config::Problems& problems) {
  if (raw.lease.empty()) return;
  const std::size_t slash = raw.lease.find('/');
  if (slash == 0 || slash >= raw.lease.size() - 1 || raw.lease.rfind('/') != slash) {
    problems.push_back(unexpected("--lease", raw.lease, "NAMESPACE/NAME"));
    return;
  }
  options.lease.emplace();
  options.lease->space = raw.lease.substr(0, slash);
  options.lease->name = raw.lease.substr(slash + 1);
  pilotlight::ErrorCode ec;
  const auto reached = pilotlight::asio::ip::make_address(options.advertise, ec);
  if (ec || reached.is_unspecified()) {
    problems.push_back(unexpected("--advertise", options.advertise, "the IP of this host"));
  }
}

void read_defaults(const Raw& raw, pilotlight::autoscaler::Options& options,
                   pilotlight::config::Problems& problems) {
  if (raw.defaults_file.empty()) return;
  const auto defaults = pilotlight::config::load_autoscaler_defaults(raw.defaults_file);
  if (defaults) {
    options.defaults = *defaults;
    return;
  }
  const pilotlight::config::Problems more = defaults.error();
  problems.insert(problems.end(), more.begin(), more.end());
}

/// All problems at once.
pilotlight::config::Problems check(const Raw& raw, pilotlight::autoscaler::Options& options) {
  using namespace pilotlight;
  config::Problems problems;
  const auto access = config::find_api(raw.api);
  if (access) {
    options.kube = *access;
  } else {
    problems = access.error();
  }
  ErrorCode ec;
  options.address = asio::ip::make_address(raw.address, ec);
  if (ec) problems.push_back(unexpected("--address", raw.address, "an IP"));
  if (options.advertise.empty()) options.advertise = raw.address;
  check_lease(raw, options, problems);
  if (!raw.api.token_file.empty()) {
    std::ifstream file(raw.api.token_file);
    if (!(file >> options.token)) {
      problems.push_back("--token-file: cannot read a token from " + raw.api.token_file);
    }
  }
  options.review_tokens = raw.authenticate == "review";
  if (options.review_tokens && options.wire_tls.empty()) {
    problems.push_back(
        "--authenticate: got review without --wire-tls, expected both: tokens are secret");
  }
  read_defaults(raw, options, problems);
  return problems;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace pilotlight;
  Raw raw;
  autoscaler::Options options;
  CLI::App cli("Decides how many replicas every revision has.", "pilotlight-autoscaler");
  declare(cli, raw, options);
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& end) {
    return cli.exit(end) == 0 ? 0 : kExitConfig;
  }
  raw.api.service_host = environment("KUBERNETES_SERVICE_HOST");
  raw.api.service_port = environment("KUBERNETES_SERVICE_PORT");
  if (options.advertise.empty()) options.advertise = environment("POD_IP");
  const config::Problems problems = check(raw, options);
  for (const std::string& problem : problems) refuse(problem, kExitConfig);
  if (!problems.empty()) return kExitConfig;
  start_logging("pilotlight-autoscaler", parse_log_level(raw.level, LogLevel::info));
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
