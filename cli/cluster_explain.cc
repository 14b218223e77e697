#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cli/cluster.h"
#include "cli/explanation.h"

namespace pilotlight::cli {
namespace {

constexpr const char* kAutoscalers = "app.kubernetes.io/name=pilotlight-autoscaler";
constexpr const char* kContainer = "autoscaler";

/// The lines of the event log that one container has written; others are not JSON.
Task<Result<>> read_lines(Cluster& cluster, std::string pod, kube::LogQuery query,
                          Explanation& explanation) {
  control::LineStream stream(cluster.client.executor(), cluster.shard.clock());
  const auto opened = co_await cluster.client.open_log(
      stream, cluster.system_namespace, std::move(pod), std::move(query), cluster.soon());
  if (!opened) co_return opened.error();
  for (;;) {
    auto line = co_await stream.read_line(cluster.soon());
    if (!line) co_return line.error();
    if (!*line) co_return Result<>();
    if ((*line)->starts_with('{')) explanation.take(**line);
  }
}

std::int64_t restarts(const kube::Json& pod) {
  std::int64_t most = 0;
  for (const kube::Json& status : kube::array(pod, {"status", "containerStatuses"})) {
    most = std::max(most, kube::integer(status, {"restartCount"}).value_or(0));
  }
  return most;
}

}  // namespace

Task<int> cluster_explain(Cluster& cluster, const ExplainOptions& options) {
  const auto since = since_of(options);
  if (!since) co_return 78;
  const auto pods = co_await objects(cluster, kube::kPods, cluster.system_namespace, kAutoscalers);
  if (!pods) co_return refused(cluster, "the autoscaler's pods", pods.error());
  Explanation explanation(options, *since);
  bool whole = true;
  for (const kube::Json& pod : *pods) {
    const std::string name(kube::name_of(pod));
    kube::LogQuery query;
    query.container = kContainer;
    if (restarts(pod) > 0) {
      query.previous = true;
      // What the kubelet has not kept is no reason to keep quiet about the rest.
      static_cast<void>(co_await read_lines(cluster, name, query, explanation));
      query.previous = false;
    }
    const auto read = co_await read_lines(cluster, name, query, explanation);
    if (read) continue;
    static_cast<void>(refused(cluster, "the log of pod " + name, read.error()));
    whole = false;
  }
  explanation.sort();
  const int code = print(
      explanation, options,
      fmt::format("the logs of {} autoscalers in {}", pods->size(), cluster.system_namespace));
  co_return whole || code != 0 ? code : 1;
}

}  // namespace pilotlight::cli
