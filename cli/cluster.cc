#include "cli/cluster.h"

#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include <unistd.h>

#include "cli/credential_plugin.h"
#include "cli/printable.h"
#include "config/kubeconfig.h"
#include "config/kubeconfig_list.h"

namespace pilotlight::cli {
namespace {

Task<> carry_out(Cluster& cluster, const std::function<Task<int>(Cluster&)>& command, int& code) {
  code = co_await command(cluster);
  cluster.shard.post([shard = &cluster.shard] { shard->stop(); });
}

}  // namespace

int on_cluster(const ClusterOptions& options, const std::function<Task<int>(Cluster&)>& command) {
  config::Plugins plugins;
  plugins.run = [](const config::CredentialPlugin& plugin) { return run_plugin(plugin); };
  plugins.terminal = isatty(STDIN_FILENO) != 0;
  config::ChosenKubeconfig chosen;
  chosen.path = options.kubeconfig;
  chosen.context = options.context;
  if (options.kubeconfig.empty()) {
    chosen = config::choose_kubeconfig(options.default_kubeconfig, options.context);
  }
  const auto access = config::read_kubeconfig(chosen.path, chosen.context, &plugins);
  if (!access) {
    for (const std::string& problem : access.error()) {
      std::fprintf(stderr, "pilotlight: %s\n", problem.c_str());
    }
    return 78;
  }
  Shard shard(0);
  kube::Client client(shard.executor(), shard.clock(), *access);
  Cluster cluster{shard, client, options.system_namespace};
  int code = 1;
  shard.scope().spawn(carry_out(cluster, command, code));
  shard.run();
  return code;
}

std::string reason_of(const Cluster& cluster, const ErrorCode& why) {
  const std::string said = cluster.client.refusal(why);
  return said.empty() ? why.message() : printable(said);
}

int refused(const Cluster& cluster, const std::string& what, const ErrorCode& why) {
  std::fprintf(stderr, "pilotlight: %s: %s\n", what.c_str(), reason_of(cluster, why).c_str());
  return 1;
}

Task<Result<std::vector<kube::Json>>> objects(Cluster& cluster, kube::Resource resource,
                                              std::string space, std::string labels) {
  std::vector<kube::Json> all;
  kube::Selector selector;
  selector.labels = std::move(labels);
  kube::Page page;
  page.limit = 250;
  for (bool anew = false;;) {
    const auto list = co_await cluster.client.list(resource, space, selector, page, cluster.soon());
    const bool too_old = !list && list.error() == make_error_code(FlowError::gone);
    if (too_old && !page.after.empty() && !std::exchange(anew, true)) {
      // The pages took longer than the server keeps its history: all of them at once then.
      page = kube::Page();
      all.clear();
      continue;
    }
    if (!list) co_return list.error();
    for (const kube::Json& object : kube::array(*list, {"items"})) all.push_back(object);
    page.after = kube::text(*list, {"metadata", "continue"});
    if (page.after.empty()) break;
  }
  co_return Result<std::vector<kube::Json>>(boost::system::in_place_value, std::move(all));
}

}  // namespace pilotlight::cli
