#include "local/up_plan.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "common/base/system_clock.h"
#include "config/container_env.h"
#include "local/pod_launch.h"

namespace pilotlight::local {
namespace {

StartFailure failure(int exit_code, std::string line) {
  StartFailure out;
  out.exit_code = exit_code;
  out.lines.push_back(std::move(line));
  return out;
}

/// The manifests, all runnable here, or every reason why not.
boost::system::result<config::Manifests, StartFailure> read_all(const UpOptions& options) {
  StartFailure problems;
  problems.exit_code = 78;
  config::AutoscalerDefaults defaults;
  if (!options.config_autoscaler.empty()) {
    const auto given = config::load_autoscaler_defaults(options.config_autoscaler.string());
    if (!given) {
      problems.lines = given.error();
      return problems;
    }
    defaults = *given;
  }
  auto loaded = config::load_manifests(options.paths, defaults);
  if (!loaded) {
    problems.lines = std::move(loaded.error());
    return problems;
  }
  for (const config::Revision& revision : loaded->revisions) {
    for (std::string& problem : config::check_runnable_locally(revision)) {
      problems.lines.push_back(std::move(problem));
    }
  }
  if (!problems.lines.empty()) return problems;
  return std::move(*loaded);
}

/// The first program that is missing beside this one, or "".
std::string missing_program(const std::filesystem::path& folder) {
  for (const char* name :
       {"pilotlight-activator", "pilotlight-autoscaler", "pilotlight-proxy", "pilotlight-shim"}) {
    if (access((folder / name).c_str(), X_OK) != 0) return (folder / name).string();
  }
  return {};
}

/// Whether `file` can be run from `folder`, as execvp() will try it in the replica.
bool is_runnable(const std::string& file, const std::filesystem::path& folder,
                 std::string_view path) {
  if (file.find('/') != std::string::npos) return access((folder / file).c_str(), X_OK) == 0;
  while (!path.empty()) {
    const std::string_view entry = path.substr(0, path.find(':'));
    if (access((folder / entry / file).c_str(), X_OK) == 0) return true;
    path.remove_prefix(std::min(path.size(), entry.size() + 1));
  }
  return false;
}

/// What a revision's command lacks to be run here, or "". A program that appears later would do,
/// but nobody waits for one: a wrong name is best said before the first request.
std::string missing_command(const config::Revision& revision, const UpOptions& options) {
  const auto given = with_path_folder(options.environment, options.programs.string());
  const config::Expanded expanded = config::expand_container(revision.container, given);
  if (expanded.command.empty()) return {};
  const std::string& file = expanded.command.front();
  if (file.find("$(") != std::string::npos) return {};  // a port or an address: known later
  std::string path;
  for (const config::EnvVar& entry : expanded.env) {
    if (entry.name == "PATH") path = entry.value;
  }
  const std::string& folder =
      revision.container.working_dir.empty() ? revision.folder : revision.container.working_dir;
  if (is_runnable(file, folder, path)) return {};
  const bool in_path = file.find('/') == std::string::npos;
  return fmt::format("{}: {}.command: got \"{}\", expected a program {}", revision.source,
                     revision.container_path, file,
                     in_path ? "in PATH" : fmt::format("(looked for from {})", folder));
}

std::vector<ServiceUrls> urls_of(const config::Manifests& manifests, const GatewaySockets& sockets,
                                 const std::string& domain) {
  std::vector<ServiceUrls> services;
  const auto& all = sockets.all();
  for (std::size_t i = 0; i < manifests.revisions.size(); ++i) {
    const config::Revision& revision = manifests.revisions[i];
    ServiceUrls service;
    service.name_space = revision.name_space;
    service.name = revision.service;
    service.deployment = revision.deployment_name;
    service.urls.push_back(fmt::format("http://{}.{}.{}:{}", revision.service, revision.name_space,
                                       domain, all[0].where.port()));
    auto own = all[i + 1].where;
    // An address that stands for all of them cannot be asked; the loopback one can.
    if (own.address().is_unspecified()) own.address(asio::ip::address_v4::loopback());
    service.urls.push_back("http://" + show(own));
    services.push_back(std::move(service));
  }
  return services;
}

}  // namespace

std::string socket_name(const std::string& name_space, const std::string& service) {
  return name_space == "default" ? service : name_space + "/" + service;
}

std::string show(const asio::ip::tcp::endpoint& where) {
  const std::string address = where.address().to_string();
  return where.address().is_v6() ? fmt::format("[{}]:{}", address, where.port())
                                 : fmt::format("{}:{}", address, where.port());
}

boost::system::result<UpPlan, StartFailure> plan_up(const UpOptions& options) {
  auto manifests = read_all(options);
  if (!manifests) return manifests.error();
  const std::string missing = missing_program(options.programs);
  if (!missing.empty()) {
    return failure(1, fmt::format("program missing: {}; build it, or install all of pilotlight "
                                  "into one folder",
                                  missing));
  }
  StartFailure commands;
  for (const config::Revision& revision : manifests->revisions) {
    std::string problem = missing_command(revision, options);
    if (!problem.empty()) commands.lines.push_back(std::move(problem));
  }
  if (!commands.lines.empty()) return commands;
  auto state_dir = StateDir::take(options.state_dir);
  if (!state_dir) return failure(1, state_dir.error().text);
  const auto token = state_dir->token(random_seed(), random_seed());
  if (!token) return failure(1, token.error().text);

  std::vector<std::string> names;
  for (const config::Revision& revision : manifests->revisions) {
    names.push_back(socket_name(revision.name_space, revision.service));
  }
  auto sockets = GatewaySockets::open(options.listen, names);
  if (!sockets) return failure(1, sockets.error().text);
  auto addresses = AddressBlock::claim(random_seed());
  if (!addresses) return failure(1, "no address block of 127/8 is free for this up");

  const BlockPorts ports = choose_ports(addresses->activator());
  auto services = urls_of(*manifests, *sockets, options.domain);
  return UpPlan{std::move(*manifests), std::move(*state_dir), *token,
                std::move(*sockets),   std::move(*addresses), ports,
                std::move(services)};
}

}  // namespace pilotlight::local
