#include <algorithm>
#include <cstdio>
#include <limits>
#include <utility>

#include "cli/cluster.h"
#include "common/base/system_clock.h"

namespace pilotlight::cli {
namespace {

constexpr const char* kAutoscalers = "app.kubernetes.io/name=pilotlight-autoscaler";
constexpr const char* kContainer = "autoscaler";
constexpr std::int64_t kSlackSeconds = 60;  // lines may be written after what they tell of

struct Line {
  std::int64_t ms = 0;
  std::string text;
};

/// The lines of the event log that one container has written; others are not JSON.
Task<Result<>> read_lines(Cluster& cluster, std::string pod, kube::LogQuery query,
                          std::vector<Line>& lines) {
  control::LineStream stream(cluster.client.executor(), cluster.shard.clock());
  const auto opened = co_await cluster.client.open_log(
      stream, cluster.system_namespace, std::move(pod), std::move(query), cluster.soon());
  if (!opened) co_return opened.error();
  for (;;) {
    auto line = co_await stream.read_line(cluster.soon());
    if (!line) co_return line.error();
    if (!*line) co_return Result<>();
    if (!(*line)->starts_with('{')) continue;
    const auto event = kube::parse_json(**line);
    if (!event) continue;
    Line kept;
    kept.ms = kube::integer(*event, {"ms"}).value_or(0);
    kept.text = std::move(**line);
    lines.push_back(std::move(kept));
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
  if (!pods) co_return refused("the autoscaler's pods", pods.error());
  std::vector<Line> lines;
  for (const kube::Json& pod : *pods) {
    const std::string name(kube::name_of(pod));
    kube::LogQuery query;
    query.container = kContainer;
    if (*since > 0) {
      query.since_seconds = (wall_clock_ns() / 1'000'000 - *since) / 1000 + kSlackSeconds;
    }
    if (restarts(pod) > 0) {
      query.previous = true;
      // What the kubelet has not kept is no reason to keep quiet about the rest.
      static_cast<void>(co_await read_lines(cluster, name, query, lines));
      query.previous = false;
    }
    const auto read = co_await read_lines(cluster, name, query, lines);
    if (!read) static_cast<void>(refused("the log of pod " + name, read.error()));
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [](const Line& a, const Line& b) { return a.ms < b.ms; });
  std::size_t told = 0;
  for (const Line& line : lines) {
    const auto text = explain_line(line.text, options, *since);
    if (!text) continue;
    std::fputs(text->c_str(), stdout);
    ++told;
  }
  if (told > 0) co_return 0;
  std::fprintf(stderr,
               "pilotlight: nothing about \"%s\"%s is in the logs of %zu autoscalers in %s\n",
               options.service.c_str(), options.since.empty() ? "" : " of that time", pods->size(),
               cluster.system_namespace.c_str());
  co_return 1;
}

}  // namespace pilotlight::cli
