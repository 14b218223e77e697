// pilotlight: runs model servers on this machine that sleep until they are asked.

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/cluster.h"
#include "cli/decide.h"
#include "cli/endpoint.h"
#include "cli/explain.h"
#include "cli/logs.h"
#include "cli/manifests.h"
#include "cli/service_name.h"
#include "common/base/file_text.h"
#include "common/base/log.h"
#include "local/status.h"
#include "local/up.h"

namespace {

namespace fs = std::filesystem;
using namespace pilotlight;

constexpr int kExitStart = 1;
constexpr int kExitConfig = 78;

/// A variable of the environment, or "".
std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string default_state_dir() {
  const std::string state = variable("XDG_STATE_HOME");
  if (!state.empty()) return state + "/pilotlight";
  return variable("HOME") + "/.local/state/pilotlight";
}

/// One path, or several with `:` between them.
std::string default_kubeconfig() {
  const std::string named = variable("KUBECONFIG");
  return named.empty() ? variable("HOME") + "/.kube/config" : named;
}

/// This process's environment, without what was meant for it alone.
std::vector<config::EnvVar> inherited() {
  std::vector<config::EnvVar> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || text.starts_with("LISTEN_")) continue;
    config::EnvVar known;
    known.name = text.substr(0, equals);
    known.value = text.substr(equals + 1);
    out.push_back(std::move(known));
  }
  return out;
}

struct Arguments {
  std::vector<std::string> paths;
  std::string listen = "127.0.0.1:8080";
  std::string api = "127.0.0.1:6480";
  std::string domain = "localhost";
  std::string state_dir = default_state_dir();
  std::string output = "table";
  std::string log_level = "info";
  std::string service;
  std::string config_autoscaler;
  std::string trace;
  std::string since;
  bool follow = false;
  bool check = false;
  cli::ClusterOptions cluster;

  /// Whether a cluster is meant, and not what runs on this machine.
  [[nodiscard]] bool on_cluster() const {
    return !cluster.kubeconfig.empty() || !cluster.context.empty();
  }
};

int up(const Arguments& arguments) {
  local::UpOptions options;
  const auto listen = cli::parse_endpoint(arguments.listen);
  const auto api = cli::parse_endpoint(arguments.api);
  if (!listen || !api) {
    const bool first = !listen;
    std::fprintf(stderr, "pilotlight: %s: got \"%s\", expected ADDRESS:PORT, as 127.0.0.1:8080\n",
                 first ? "--listen" : "--api",
                 first ? arguments.listen.c_str() : arguments.api.c_str());
    return kExitConfig;
  }
  options.paths = arguments.paths;
  options.listen = *listen;
  options.api = *api;
  options.domain = arguments.domain;
  options.state_dir = fs::absolute(arguments.state_dir);
  std::error_code ignored;
  options.programs = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  options.environment = inherited();
  options.log_level = arguments.log_level;
  if (!arguments.config_autoscaler.empty()) {
    options.config_autoscaler = fs::absolute(arguments.config_autoscaler);
  }
  options.colours = isatty(STDOUT_FILENO) == 1 && variable("NO_COLOR").empty();
  start_logging("pilotlight",
                parse_log_level(arguments.log_level, LogLevel::info) == LogLevel::debug
                    ? LogLevel::debug
                    : LogLevel::warn);
  const int code = local::run_up(options);
  stop_logging();
  return code;
}

int status(const Arguments& arguments) {
  if (arguments.on_cluster()) {
    return cli::on_cluster(arguments.cluster, [&arguments](cli::Cluster& cluster) {
      return cli::cluster_status(cluster, arguments.output == "json");
    });
  }
  const auto up = local::find_up(arguments.state_dir);
  if (!up) {
    std::fprintf(stderr,
                 "pilotlight: nothing is running in %s; a cluster is meant with --kubeconfig or "
                 "--context\n",
                 arguments.state_dir.c_str());
    return kExitStart;
  }
  const auto answer = cli::ask_up(*up, "/pilotlight/status");
  if (!answer) {
    std::fprintf(stderr, "pilotlight: %s\n", answer.error().text.c_str());
    return kExitStart;
  }
  const std::string text =
      arguments.output == "json" ? answer->dump(2) + "\n" : local::status_table(*answer);
  std::fputs(text.c_str(), stdout);
  return 0;
}

/// Of the commands that are about one service. @return 78, said on standard error, or 0.
int check_service(const Arguments& arguments) {
  const auto wrong = cli::wrong_service(arguments.service);
  if (!wrong) return 0;
  std::fprintf(stderr, "pilotlight: %s\n", wrong->c_str());
  return kExitConfig;
}

int logs(const Arguments& arguments) {
  if (const int code = check_service(arguments)) return code;
  if (!arguments.on_cluster()) {
    return cli::print_logs(arguments.state_dir, arguments.service, arguments.follow);
  }
  return cli::on_cluster(arguments.cluster, [&arguments](cli::Cluster& cluster) {
    return cli::cluster_logs(cluster, arguments.service, arguments.follow);
  });
}

int explain(const Arguments& arguments) {
  if (const int code = check_service(arguments)) return code;
  cli::ExplainOptions options;
  options.service = arguments.service;
  options.since = arguments.since;
  options.json = arguments.output == "json";
  if (!arguments.on_cluster()) return cli::explain(arguments.state_dir, options);
  return cli::on_cluster(arguments.cluster, [&options](cli::Cluster& cluster) {
    return cli::cluster_explain(cluster, options);
  });
}

/// `convert` and `inject`: manifests in, manifests out.
struct ManifestCommands {
  CLI::App* convert = nullptr;
  CLI::App* inject = nullptr;
  cli::ManifestArguments arguments;
  config::InjectSettings settings;
};

void add_manifest_commands(CLI::App& app, ManifestCommands& commands) {
  commands.convert = app.add_subcommand(
      "convert", "print a Knative Service as a Deployment and a Service for any cluster");
  commands.inject =
      app.add_subcommand("inject", "print manifests with the sidecar, as the webhook adds it");
  for (CLI::App* command : {commands.convert, commands.inject}) {
    command
        ->add_option("-f,--filename", commands.arguments.paths,
                     "manifests, folders of them, or - for standard input")
        ->required();
    command->add_option("-o,--output", commands.arguments.output, "yaml or json")
        ->check(CLI::IsMember({"yaml", "json"}))
        ->capture_default_str();
  }
  config::InjectSettings& settings = commands.settings;
  commands.inject->add_option("--image", settings.image, "of the sidecar")->capture_default_str();
  commands.inject->add_option("--image-pull-policy", settings.pull_policy, "of the sidecar's image")
      ->check(CLI::IsMember({"Always", "IfNotPresent", "Never"}));
  commands.inject->add_option("--autoscaler", settings.autoscaler, "ADDRESS:PORT of its wire");
  commands.inject->add_option_function<std::string>(
      "--autoscaler-ca",
      [&settings](const std::string& file) {
        const auto text = file_text(file);
        if (!text) throw CLI::ValidationError("--autoscaler-ca", file + " cannot be read");
        settings.autoscaler_ca = *text;
      },
      "PEM file of who signs its certificate: sidecars speak TLS to it");
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("pilotlight lets model servers sleep at zero and wake on the first request");
  app.set_version_flag("--version", "pilotlight " PILOTLIGHT_VERSION);
  app.require_subcommand(1);
  const auto with_state_dir = [&arguments](CLI::App* command) {
    command->add_option("--state-dir", arguments.state_dir, "folder that finds a running up again")
        ->capture_default_str();
    return command;
  };

  // What is about a running system: on this machine, or on a cluster.
  const auto anywhere = [&arguments, &with_state_dir](CLI::App* command) {
    cli::ClusterOptions& cluster = arguments.cluster;
    cluster.default_kubeconfig = default_kubeconfig();
    command->add_option("--kubeconfig", cluster.kubeconfig, "a cluster: its kubeconfig");
    command->add_option("--context", cluster.context,
                        "a cluster: a context of $KUBECONFIG or ~/.kube/config");
    command
        ->add_option("--system-namespace", cluster.system_namespace, "where pilotlight runs there")
        ->capture_default_str();
    return with_state_dir(command);
  };

  CLI::App* up_command = with_state_dir(app.add_subcommand("up", "run services on this machine"));
  up_command->add_option("paths", arguments.paths, "manifests, or folders of them")->required();
  up_command->add_option("--listen", arguments.listen, "gateway; services follow on the next ports")
      ->capture_default_str();
  up_command->add_option("--api", arguments.api, "Kubernetes API")->capture_default_str();
  up_command->add_option("--domain", arguments.domain, "hosts are <service>.<namespace>.<domain>")
      ->capture_default_str();
  up_command->add_option("--log-level", arguments.log_level, "debug, info, warn, error or off")
      ->check(CLI::IsMember({"debug", "info", "warn", "error", "off"}))
      ->capture_default_str();

  up_command->add_option("--config-autoscaler", arguments.config_autoscaler,
                         "YAML of Knative's config-autoscaler: defaults of every service");

  CLI::App* status_command = anywhere(app.add_subcommand("status", "what runs, sleeps and waits"));
  status_command->add_option("-o,--output", arguments.output, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  CLI::App* logs_command =
      anywhere(app.add_subcommand("logs", "what the replicas of a service wrote"));
  logs_command->add_option("service", arguments.service, "its name")->required();
  logs_command->add_flag("-f,--follow", arguments.follow, "go on with what comes");
  CLI::App* explain_command =
      anywhere(app.add_subcommand("explain", "why a service scaled, woke, slept or refused"));
  explain_command->add_option("service", arguments.service, "its name")->required();
  explain_command->add_option("--since", arguments.since, "only the newest, as 10m");
  explain_command->add_option("-o,--output", arguments.output, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  CLI::App* decide_command =
      app.add_subcommand("decide", "take the scaling decisions of a recorded run again");
  decide_command->add_option("file", arguments.trace, "JSON lines, see docs/autoscaling.md")
      ->required();
  decide_command->add_flag("--check", arguments.check, "compare with the answers in the file");
  ManifestCommands manifests;
  add_manifest_commands(app, manifests);
  CLI::App* down_command = with_state_dir(app.add_subcommand("down", "end a running up"));
  CLI::App* version_command = app.add_subcommand("version", "print the version");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitConfig;
  }
  if (*version_command) std::puts("pilotlight " PILOTLIGHT_VERSION);
  if (*up_command) return up(arguments);
  if (*status_command) return status(arguments);
  if (*logs_command) return logs(arguments);
  if (*explain_command) return explain(arguments);
  if (*decide_command) return cli::decide_file(arguments.trace, arguments.check);
  if (*manifests.convert) return cli::convert(manifests.arguments);
  if (*manifests.inject) return cli::inject(manifests.arguments, manifests.settings);
  if (*down_command) return cli::end_up(arguments.state_dir);
  return 0;
}
