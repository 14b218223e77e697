#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "cli/cluster.h"
#include "cli/cluster_view.h"
#include "config/revision.h"
#include "local/status.h"

namespace pilotlight::cli {
namespace {

constexpr std::string_view kAdminPage = "8022/proxy/status";
constexpr Duration kPageTime = std::chrono::seconds(2);

/// GET /status of every replica of a program, through the API server. What does not answer is told
/// to the user, and is no error: the Deployments and Pods tell the rest.
Task<std::vector<kube::Json>> pages(Cluster& cluster, std::string program) {
  std::vector<kube::Json> all;
  const auto pods = co_await objects(cluster, kube::kPods, cluster.system_namespace,
                                     "app.kubernetes.io/name=" + program);
  if (!pods) {
    static_cast<void>(refused(cluster, "the pods of " + program, pods.error()));
    co_return all;
  }
  for (const kube::Json& pod : *pods) {
    control::Ask what;
    what.target = fmt::format(
        "{}:{}", kube::path_of(kube::kPods, cluster.system_namespace, kube::name_of(pod)),
        kAdminPage);
    const TimePoint deadline = cluster.shard.clock().now() + kPageTime;
    const auto answer = co_await cluster.client.send(std::move(what), deadline);
    std::optional<kube::Json> page;
    if (answer && answer->status == 200) page = kube::parse_json(answer->body);
    if (page) {
      all.push_back(std::move(*page));
      continue;
    }
    const std::string why =
        answer ? fmt::format("status {}", answer->status) : answer.error().message();
    std::fprintf(stderr, "pilotlight: pod %s tells nothing (%s): its load is not known\n",
                 std::string(kube::name_of(pod)).c_str(), why.c_str());
  }
  co_return all;
}

}  // namespace

Task<int> cluster_status(Cluster& cluster, bool json) {
  ClusterObjects found;
  auto deployments = co_await objects(cluster, kube::kDeployments, "", config::kInjectSelector);
  if (!deployments) co_return refused(cluster, "deployments", deployments.error());
  auto pods = co_await objects(cluster, kube::kPods, "", config::kInjectSelector);
  if (!pods) co_return refused(cluster, "pods", pods.error());
  found.deployments = std::move(*deployments);
  found.pods = std::move(*pods);
  found.activators = co_await pages(cluster, "pilotlight-activator");
  found.autoscalers = co_await pages(cluster, "pilotlight-autoscaler");
  const kube::Json status = compose_cluster_status(found);
  const std::string text = json ? status.dump(2) + "\n" : local::status_table(status);
  std::fputs(text.c_str(), stdout);
  co_return 0;
}

}  // namespace pilotlight::cli
