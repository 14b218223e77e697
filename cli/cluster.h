#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/explain.h"
#include "common/async/shard.h"
#include "common/kube/client.h"

namespace pilotlight::cli {

/// Which cluster, and where in it pilotlight runs.
struct ClusterOptions {
  std::string kubeconfig;          ///< "": `default_kubeconfig`.
  std::string default_kubeconfig;  ///< One, or several with `:` between them.
  std::string context;             ///< "": the current one.
  std::string system_namespace = "pilotlight-system";
};

/// A cluster that one command talks to. Lives as long as the command; one shard.
struct Cluster {
  Shard& shard;
  kube::Client& client;
  std::string system_namespace;

  /// By when a question has to be answered.
  [[nodiscard]] TimePoint soon() const { return shard.clock().now() + std::chrono::seconds(10); }
};

/// Runs `command` to its end against the cluster. @return its exit code; 78 for a kubeconfig that
/// does not read.
[[nodiscard]] int on_cluster(const ClusterOptions& options,
                             const std::function<Task<int>(Cluster&)>& command);

/// Why the call that has just ended failed: the server's own words if it had any.
[[nodiscard]] std::string reason_of(const Cluster& cluster, const ErrorCode& why);

/// Prints "pilotlight: <what>: <reason>". To be called right behind what failed. @return 1.
int refused(const Cluster& cluster, const std::string& what, const ErrorCode& why);

/// The objects of a kind, all namespaces where `space` is "".
[[nodiscard]] Task<Result<std::vector<kube::Json>>> objects(Cluster& cluster,
                                                            kube::Resource resource,
                                                            std::string space, std::string labels);

/// `status` of a cluster: from its Deployments and Pods, and from the admin pages of activators and
/// autoscaler as far as the API server reaches them.
[[nodiscard]] Task<int> cluster_status(Cluster& cluster, bool json);

/// `explain` of a cluster: from what the autoscalers have written to standard output, as far as the
/// kubelets keep it, of the runs before their last restarts too.
[[nodiscard]] Task<int> cluster_explain(Cluster& cluster, const ExplainOptions& options);

/// `logs` of a cluster: of every container of the service's Pods.
[[nodiscard]] Task<int> cluster_logs(Cluster& cluster, std::string service, bool follow);

}  // namespace pilotlight::cli
