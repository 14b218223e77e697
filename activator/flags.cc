#include "activator/flags.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "activator/lame_duck.h"
#include "common/base/file_text.h"
#include "common/net/listener.h"
#include "config/api_access.h"
#include "config/number_option.h"
#include "config/scalars.h"

namespace pilotlight::activator {
namespace {

using config::add_number;

constexpr int kExitConfig = 78;  // EX_CONFIG

/// The command line as it was written.
struct Raw {
  config::ApiFlags api;
  std::string autoscaler;
  std::string autoscaler_ca;
  std::string address = "127.0.0.1";
  std::string listen = "0.0.0.0:8012";
  std::uint16_t admin_port = 8022;
  std::uint16_t metrics_port = 9090;
  std::size_t shards = 0;
  std::string log_level = "info";
  std::string lame_duck = "0s";
  ParkLimits park;
};

void declare(CLI::App& app, Raw& raw) {
  app.set_version_flag("--version", "pilotlight-activator " PILOTLIGHT_VERSION);
  app.add_option("--kube", raw.api.url, "Kubernetes API server, http://ip:port or https://host");
  app.add_option("--kubeconfig", raw.api.kubeconfig,
                 "Kubeconfig of the API server; without it and --kube the cluster's own");
  app.add_option("--token-file", raw.api.token_file,
                 "File with the token for the autoscaler, and for --kube");
  app.add_option("--autoscaler", raw.autoscaler, "Autoscaler's wire address, ip:port")->required();
  app.add_option(
      "--autoscaler-ca", raw.autoscaler_ca,
      "PEM file of who signs its certificate: TLS is spoken there; read at each connect");
  app.add_option("--address", raw.address, "IP address of the admin and metrics ports")
      ->capture_default_str();
  add_number(app, "--admin-port", raw.admin_port,
             "/status, /events, /healthz, /readyz; 0 picks one");
  add_number(app, "--metrics-port", raw.metrics_port, "/metrics; 0 picks one");
  app.add_option("--listen", raw.listen, "Gateway, ip:port; used when no socket is passed")
      ->capture_default_str();
  add_number<std::size_t>(app, "--shards", raw.shards, "Data threads; 0 is one per core, at most 4",
                          256);
  add_number(app, "--park-requests", raw.park.requests, "Requests of one revision that may wait");
  add_number(app, "--park-bytes", raw.park.bytes, "Memory that those may take, in bytes");
  add_number(app, "--park-requests-total", raw.park.requests_total,
             "Requests of all revisions that may wait");
  add_number(app, "--park-bytes-total", raw.park.bytes_total,
             "Memory that those may take, in bytes");
  app.add_option("--lame-duck", raw.lame_duck,
                 "On SIGTERM goes on taking connections until none has come for so long, as 5s")
      ->capture_default_str();
  app.add_option("--log-level", raw.log_level, "Least level that is logged")
      ->check(CLI::IsMember({"debug", "info", "warn", "error", "off"}))
      ->capture_default_str();
}

/// Turns text into values and collects what is wrong with it.
class Checker {
 public:
  asio::ip::tcp::endpoint endpoint(std::string_view flag, const std::string& text) {
    const auto parsed = parse_endpoint(text);
    if (parsed) return *parsed;
    problem(fmt::format("{}: got \"{}\", expected ip:port", flag, text));
    return {};
  }
  asio::ip::address address(std::string_view flag, const std::string& text) {
    ErrorCode ec;
    const auto parsed = asio::ip::make_address(text, ec);
    if (ec) problem(fmt::format("{}: got \"{}\", expected an IP address", flag, text));
    return parsed;
  }
  std::string readable(std::string_view flag, const std::string& file) {
    if (!file.empty() && !file_text(file)) {
      problem(fmt::format("{}: got \"{}\", expected a file that can be read", flag, file));
    }
    return file;
  }
  Duration duration(std::string_view flag, const std::string& text) {
    const auto parsed = config::parse_duration(text);
    if (parsed && parsed->count() >= 0 && *parsed <= LameDuck::kLongest) return *parsed;
    problem(fmt::format("{}: got \"{}\", expected a duration from 0s to 30s", flag, text));
    return {};
  }
  std::string token(const std::string& file) {
    if (file.empty()) return {};
    std::ifstream in(file);
    std::stringstream text;
    text << in.rdbuf();
    if (!in) {
      problem(fmt::format("--token-file: got \"{}\", expected a file that can be read", file));
    }
    std::string token = text.str();
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
    return token;
  }
  void problem(const std::string& text) {
    problems_ += fmt::format("pilotlight-activator: {}\n", text);
  }
  [[nodiscard]] const std::string& problems() const noexcept { return problems_; }

 private:
  std::string problems_;
};

}  // namespace

FlagsOutcome read_flags(int argc, const char* const* argv, const Surroundings& surroundings) {
  FlagsOutcome outcome;
  Raw raw;
  CLI::App app("Holds requests of sleeping revisions and routes them to replicas.",
               "pilotlight-activator");
  declare(app, raw);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {  // also how CLI11 says --help and --version
    std::ostringstream out;
    std::ostringstream problems;
    const int code = app.exit(error, out, problems);
    outcome.text = out.str() + problems.str();
    outcome.exit_code = code == 0 ? 0 : kExitConfig;
    return outcome;
  }
  Checker check;
  Flags flags;
  raw.api.service_host = surroundings.service_host;
  raw.api.service_port = surroundings.service_port;
  const auto api = config::find_api(raw.api);
  if (api) {
    flags.kube = *api;
  } else {
    for (const std::string& problem : api.error()) check.problem(problem);
  }
  flags.token = check.token(raw.api.token_file);
  flags.credentials.token_file = raw.api.token_file;
  flags.credentials.ca_file = check.readable("--autoscaler-ca", raw.autoscaler_ca);
  flags.autoscaler = check.endpoint("--autoscaler", raw.autoscaler);
  flags.listen = check.endpoint("--listen", raw.listen);
  const auto address = check.address("--address", raw.address);
  flags.admin = asio::ip::tcp::endpoint(address, raw.admin_port);
  flags.metrics = asio::ip::tcp::endpoint(address, raw.metrics_port);
  const auto passed = passed_sockets(surroundings.passed);
  if (passed) {
    flags.passed = *passed;
  } else {
    check.problem(passed.error());
  }
  flags.shards = raw.shards;
  if (flags.shards == 0) {
    flags.shards = std::clamp<std::size_t>(surroundings.cores, 1, 4);
  }
  flags.park = raw.park;
  flags.lame_duck = check.duration("--lame-duck", raw.lame_duck);
  // On a cluster every activator has the same address to listen on, and a name of its own.
  flags.replica = surroundings.pod_name.empty()
                      ? fmt::format("activator-{}", flags.admin.address().to_string())
                      : surroundings.pod_name;
  flags.log_level = parse_log_level(raw.log_level, LogLevel::info);
  if (check.problems().empty()) {
    outcome.flags = std::move(flags);
  } else {
    outcome.text = check.problems();
    outcome.exit_code = kExitConfig;
  }
  return outcome;
}

}  // namespace pilotlight::activator
