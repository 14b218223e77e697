#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "cli/cluster.h"
#include "cli/log_place.h"
#include "cli/printable.h"
#include "common/base/system_clock.h"
#include "common/kube/watcher.h"
#include "config/revision.h"

namespace pilotlight::cli {
namespace {

using kube::Json;

// Of a log that broke.
constexpr Duration kFirstPause = std::chrono::milliseconds(100);
constexpr Duration kLongestPause = std::chrono::seconds(5);

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

/// What is known of a container; null for nothing.
const Json* status_of(const Json& pod, const std::string& container) {
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const Json& status : kube::array(pod, {"status", list})) {
      if (kube::text(status, {"name"}) == container) return &status;
    }
  }
  return nullptr;
}

std::int64_t restarts_of(const Json& status) {
  return kube::integer(status, {"restartCount"}).value_or(0);
}

bool is_running(const Json& status) { return kube::find(status, {"state", "running"}) != nullptr; }

/// Whether it has written anything that the kubelet could show.
bool has_started(const Json* status) {
  return status != nullptr &&
         (is_running(*status) || kube::find(*status, {"state", "terminated"}) != nullptr ||
          restarts_of(*status) > 0);
}

/// Which log, and what stands before its lines.
struct Source {
  std::string space;
  std::string pod;
  std::string origin;
  kube::LogQuery query;
};

Source source_of(const Json& pod, const std::string& container, bool follow) {
  Source source;
  source.space = kube::namespace_of(pod);
  source.pod = kube::name_of(pod);
  source.origin = fmt::format("{}/{} {}", source.space, source.pod, container);
  source.query.container = container;
  source.query.follow = follow;
  return source;
}

/// As it is into a file or a pipe.
void print_line(const std::string& origin, std::string_view line) {
  static const bool terminal = isatty(STDOUT_FILENO) != 0;
  std::string text = fmt::format("[{}] {}\n", origin, line);
  if (terminal) text = printable(text);
  std::fwrite(text.data(), 1, text.size(), stdout);
}

/// Prints one container's log to its end. @return what ended it early.
Task<Result<>> print_log(Cluster& cluster, Source source) {
  control::LineStream stream(cluster.client.executor(), cluster.shard.clock());
  const auto opened = co_await cluster.client.open_log(stream, source.space, source.pod,
                                                       source.query, cluster.soon());
  if (!opened) co_return opened.error();
  for (;;) {
    const auto line = co_await stream.read_line(cluster.soon());
    if (!line) co_return line.error();
    if (!*line) co_return Result<>();
    print_line(source.origin, **line);
  }
}

void tried_again(const Cluster& cluster, const std::string& what, const ErrorCode& why) {
  std::fprintf(stderr, "pilotlight: %s: %s; trying again\n", what.c_str(),
               reason_of(cluster, why).c_str());
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
    ended_ = true;
    logs_.cancel(asio::cancellation_type::terminal);
    co_await logs_.join();
    co_return code_;
  }

 private:
  using Container = std::pair<std::string, std::string>;  // uid of the Pod, name
  struct Run {
    std::int64_t restarts = 0;
    bool running = false;
  };

  void applied(const Json& pod) override {
    told_ = ErrorCode();
    for (const std::string& container : containers_of(pod)) {
      const Json* status = status_of(pod, container);
      if (!has_started(status)) continue;
      const Container key(kube::text(pod, {"metadata", "uid"}), container);
      const std::int64_t restarts = restarts_of(*status);
      const auto [run, is_new] = runs_.try_emplace(key);
      const bool anew = is_new || run->second.restarts < restarts;
      run->second.restarts = restarts;
      run->second.running = is_running(*status);
      if (anew) logs_.spawn(follow(key, restarts, source_of(pod, container, true)));
    }
  }
  void removed(const Json& pod) override {
    told_ = ErrorCode();
    const std::string uid(kube::text(pod, {"metadata", "uid"}));
    std::erase_if(runs_, [&uid](const auto& run) { return run.first.first == uid; });
  }
  void synced() override { told_ = ErrorCode(); }

  /// Trying again helps against an outage, which is said once. Against a server that does not know
  /// us, or is none of Kubernetes', it would only look like a service without pods.
  void failed(const ErrorCode& why) override {
    if (!watcher_.synced() && is_final(why)) {
      code_ = refused(cluster_, pods_, why);
      watcher_.close();
    } else if (std::exchange(told_, why) != why) {
      tried_again(cluster_, pods_, why);
    }
  }

  [[nodiscard]] bool there(const Container& container, std::int64_t restarts) const {
    const auto run = runs_.find(container);
    return !ended_ && run != runs_.end() && run->second.restarts == restarts;
  }
  [[nodiscard]] bool runs(const Container& container, std::int64_t restarts) const {
    return there(container, restarts) && runs_.at(container).running;
  }

  /// Follows the log of one run of a container to its end. One that breaks, or ends while the
  /// container runs (the kubelet has gone, say), is asked for again from where it was, for as long
  /// as its Pod is there and the container has not begun anew.
  Task<> follow(Container container, std::int64_t restarts, Source source) {
    co_await asio::this_coro::throw_if_cancelled(false);
    LogPlace place;
    kube::BackOff back_off(kFirstPause, kLongestPause);
    const std::unique_ptr<Timer> pause = cluster_.shard.clock().make_timer();
    source.query.timestamps = true;
    ErrorCode told;
    bool ever = false;  // a line has come
    while (there(container, restarts)) {
      source.query.since = place.resume();
      bool some = false;
      const auto went = co_await follow_once(container, restarts, source, place, some);
      if (went ? !runs(container, restarts) : !there(container, restarts)) co_return;
      ever = ever || some;
      if (some) back_off.reset();
      const ErrorCode why = went ? ErrorCode() : went.error();
      if (!ever && why == make_error_code(FlowError::unauthorized)) co_return give_up(source, why);
      if (why && (some || told != why)) tried_again(cluster_, "the log of " + source.origin, why);
      told = why;
      co_await pause->wait_until(cluster_.shard.clock().now() + back_off.next(random_));
    }
  }

  /// Nobody who waits gets a right that way.
  void give_up(const Source& source, const ErrorCode& why) {
    code_ = refused(cluster_, "the log of " + source.origin, why);
    watcher_.close();
  }

  /// @param some set when there was a new line.
  Task<Result<>> follow_once(const Container& container, std::int64_t restarts,
                             const Source& source, LogPlace& place, bool& some) {
    control::LineStream stream(cluster_.client.executor(), cluster_.shard.clock());
    const auto opened = co_await cluster_.client.open_log(stream, source.space, source.pod,
                                                          source.query, cluster_.soon());
    if (!opened) co_return opened.error();
    for (;;) {
      const auto line = co_await stream.read_line(TimePoint::max());
      if (!line) co_return line.error();
      if (!*line || !there(container, restarts)) co_return Result<>();
      const auto text = place.take(**line);
      if (!text) continue;
      some = true;
      print_line(source.origin, *text);
      std::fflush(stdout);
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
  std::map<Container, Run> runs_;  // a log ends with its run: the newest one
  ErrorCode told_;                 // of the failure at hand; none: all is well
  bool ended_ = false;
  int code_ = 0;
  kube::Watcher watcher_;
};

/// Prints what there is. @return the exit code.
Task<int> print_all(Cluster& cluster, kube::Watcher::What what, std::string service) {
  const auto pods = co_await objects(cluster, what.resource, what.space, what.selector.labels);
  if (!pods) co_return refused(cluster, "the pods of " + service, pods.error());
  bool any = false;
  int code = 0;
  for (const Json& pod : *pods) {
    for (const std::string& container : containers_of(pod)) {
      if (!has_started(status_of(pod, container))) continue;
      any = true;
      const Source source = source_of(pod, container, false);
      const auto went = co_await print_log(cluster, source);
      if (went) continue;
      code = refused(cluster, "the log of " + source.origin, went.error());  // others may tell more
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
