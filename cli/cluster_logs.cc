#include <cstdio>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include "cli/cluster.h"
#include "common/base/system_clock.h"
#include "common/kube/watcher.h"
#include "config/revision.h"

namespace pilotlight::cli {
namespace {

using kube::Json;

/// Names of containers, native sidecars among them, in the order of the Pod.
std::vector<std::string> containers_of(const Json& pod) {
  std::vector<std::string> names;
  for (const char* list : {"initContainers", "containers"}) {
    for (const Json& container : kube::array(pod, {"spec", list})) {
      names.emplace_back(kube::text(container, {"name"}));
    }
  }
  return names;
}

/// Whether a container has written anything that the kubelet could show.
bool has_started(const Json& pod, const std::string& container) {
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const Json& status : kube::array(pod, {"status", list})) {
      if (kube::text(status, {"name"}) != container) continue;
      return kube::find(status, {"state", "running"}) != nullptr ||
             kube::find(status, {"state", "terminated"}) != nullptr ||
             kube::integer(status, {"restartCount"}).value_or(0) > 0;
    }
  }
  return false;
}

std::int64_t restarts_of(const Json& pod, const std::string& container) {
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const Json& status : kube::array(pod, {"status", list})) {
      if (kube::text(status, {"name"}) != container) continue;
      return kube::integer(status, {"restartCount"}).value_or(0);
    }
  }
  return 0;
}

std::string origin_of(const Json& pod, const std::string& container) {
  return fmt::format("{}/{} {}", kube::namespace_of(pod), kube::name_of(pod), container);
}

/// Prints one container's log, every line with its origin. @return what ended it early.
Task<Result<>> print_log(Cluster& cluster, std::string space, std::string pod, std::string origin,
                         kube::LogQuery query) {
  const bool follow = query.follow;
  control::LineStream stream(cluster.client.executor(), cluster.shard.clock());
  const auto opened = co_await cluster.client.open_log(stream, std::move(space), std::move(pod),
                                                       std::move(query), cluster.soon());
  if (!opened) co_return opened.error();
  for (;;) {
    const TimePoint deadline = follow ? TimePoint::max() : cluster.soon();
    const auto line = co_await stream.read_line(deadline);
    if (!line) co_return line.error();
    if (!*line) co_return Result<>();
    std::fputs(fmt::format("[{}] {}\n", origin, **line).c_str(), stdout);
    if (follow) std::fflush(stdout);
  }
}

Task<> follow_log(Cluster& cluster, std::string space, std::string pod, std::string origin,
                  kube::LogQuery query) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto went = co_await print_log(cluster, std::move(space), std::move(pod), origin, query);
  if (!went) static_cast<void>(refused("the log of " + origin, went.error()));
}

/// Follows every container of the Pods of a service as it starts, new Pods included.
class Follower final : public kube::Watcher::Listener {
 public:
  Follower(Cluster& cluster, kube::Watcher::What what, std::string service)
      : cluster_(cluster),
        pods_("the pods of " + std::move(service)),
        watcher_(cluster.client, cluster.shard.clock(), std::move(what), *this, random_) {}

  /// Until the user ends the program, or the server has said that it will never work. @return the
  /// exit code.
  Task<int> run() {
    co_await watcher_.run();
    logs_.cancel(asio::cancellation_type::terminal);
    co_await logs_.join();
    co_return code_;
  }

 private:
  // A log ends with its run of the container: uid of the Pod, container, restarts.
  using Run = std::tuple<std::string, std::string, std::int64_t>;

  void applied(const Json& pod) override {
    told_ = ErrorCode();
    for (const std::string& container : containers_of(pod)) {
      const std::string uid(kube::text(pod, {"metadata", "uid"}));
      const Run run(uid, container, restarts_of(pod, container));
      if (!has_started(pod, container) || !seen_.insert(run).second) continue;
      kube::LogQuery query;
      query.container = container;
      query.follow = true;
      logs_.spawn(follow_log(cluster_, std::string(kube::namespace_of(pod)),
                             std::string(kube::name_of(pod)), origin_of(pod, container),
                             std::move(query)));
    }
  }
  void removed(const Json& pod) override {
    told_ = ErrorCode();
    const std::string uid(kube::text(pod, {"metadata", "uid"}));
    std::erase_if(seen_, [&uid](const Run& one) { return std::get<0>(one) == uid; });
  }
  void synced() override { told_ = ErrorCode(); }

  /// Trying again helps against an outage, which is said once. Against a server that does not know
  /// us, or is none of Kubernetes', it would only look like a service without pods.
  void failed(const ErrorCode& why) override {
    if (!watcher_.synced() && is_final(why)) {
      code_ = refused(pods_, why);
      watcher_.close();
    } else if (std::exchange(told_, why) != why) {
      std::fprintf(stderr, "pilotlight: %s: %s; trying again\n", pods_.c_str(),
                   why.message().c_str());
    }
  }

  static bool is_final(const ErrorCode& why) {
    return why == make_error_code(FlowError::unauthorized) ||
           why == make_error_code(FlowError::not_found) ||
           why == make_error_code(FlowError::bad_message);
  }

  Cluster& cluster_;
  std::string pods_;  // for messages
  std::mt19937_64 random_{random_seed()};
  Scope logs_{cluster_.shard.executor()};
  std::set<Run> seen_;
  ErrorCode told_;  // of the failure at hand; none: all is well
  int code_ = 0;
  kube::Watcher watcher_;
};

/// Prints what there is. @return the exit code.
Task<int> print_all(Cluster& cluster, kube::Watcher::What what, std::string service) {
  const auto pods = co_await objects(cluster, what.resource, what.space, what.selector.labels);
  if (!pods) co_return refused("the pods of " + service, pods.error());
  bool any = false;
  int code = 0;
  for (const Json& pod : *pods) {
    for (const std::string& container : containers_of(pod)) {
      if (!has_started(pod, container)) continue;
      any = true;
      kube::LogQuery query;
      query.container = container;
      const std::string origin = origin_of(pod, container);
      const auto went = co_await print_log(cluster, std::string(kube::namespace_of(pod)),
                                           std::string(kube::name_of(pod)), origin, query);
      if (!went) code = refused("the log of " + origin, went.error());  // the others may tell more
    }
  }
  if (any) co_return code;
  std::fprintf(stderr, "pilotlight: no pod of \"%s\" runs; `-f` waits for one\n", service.c_str());
  co_return 1;
}

}  // namespace

Task<int> cluster_logs(Cluster& cluster, std::string service, bool follow) {
  kube::Watcher::What what;
  what.resource = kube::kPods;
  const std::size_t slash = service.find('/');
  if (slash != std::string::npos) what.space = service.substr(0, slash);
  what.selector.labels =
      fmt::format("{}={}", config::kServiceLabel,
                  slash == std::string::npos ? service : service.substr(slash + 1));
  if (!follow) co_return co_await print_all(cluster, what, service);
  Follower follower(cluster, std::move(what), std::move(service));
  co_return co_await follower.run();
}

}  // namespace pilotlight::cli
