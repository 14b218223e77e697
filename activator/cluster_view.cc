#include "activator/cluster_view.h"

#include <fmt/format.h>

#include "common/base/error.h"
#include "common/kube/json.h"
#include "config/revision.h"

namespace pilotlight::activator {
namespace {

using kube::Json;

constexpr std::string_view kPrivate = "-private";
constexpr std::uint16_t kServingPort = 8012;

std::uint16_t serving_port(const Json& slice) {
  for (const Json& port : kube::array(slice, {"ports"})) {
    if (kube::text(port, {"name"}) != "http") continue;
    const std::int64_t number = kube::integer(port, {"port"}).value_or(0);
    if (number > 0 && number < 65536) return static_cast<std::uint16_t>(number);
  }
  return kServingPort;
}

const Json* condition_of(const Json& object, std::string_view type) {
  for (const Json& condition : kube::array(object, {"status", "conditions"})) {
    if (kube::text(condition, {"type"}) == type) return &condition;
  }
  return nullptr;
}

std::string last_line(std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  const std::size_t newline = text.rfind('\n');
  return std::string(newline == std::string_view::npos ? text : text.substr(newline + 1));
}

/// Why a container waits, "CrashLoopBackOff" for instance; "" while it is only being made.
std::string_view waiting_for(const Json& status) {
  const std::string_view reason = kube::text(status, {"state", "waiting", "reason"});
  return reason == "ContainerCreating" || reason == "PodInitializing" ? std::string_view() : reason;
}

/// How a container ended last and what it waits for now, or "".
std::string container_failure(const Json& status) {
  const std::string_view name = kube::text(status, {"name"});
  const std::string_view reason = waiting_for(status);
  for (const char* where : {"state", "lastState"}) {
    const std::int64_t code = kube::integer(status, {where, "terminated", "exitCode"}).value_or(0);
    if (code == 0) continue;
    const std::string words = last_line(kube::text(status, {where, "terminated", "message"}));
    return fmt::format("container {}: {}{}exit code {}{}{}", name, reason,
                       reason.empty() ? "" : ", ", code, words.empty() ? "" : ": ", words);
  }
  if (reason.empty()) return {};
  const std::string_view words = kube::text(status, {"state", "waiting", "message"});
  return fmt::format("container {}: {}{}{}", name, reason, words.empty() ? "" : ": ", words);
}

/// "Unschedulable: 0/1 nodes are available: ...", or "".
std::string unscheduled(const Json& pod) {
  const Json* scheduled = condition_of(pod, "PodScheduled");
  if (scheduled == nullptr || kube::text(*scheduled, {"status"}) != "False") return {};
  return fmt::format("{}: {}", kube::text(*scheduled, {"reason"}),
                     kube::text(*scheduled, {"message"}));
}

std::string pod_failure(const Json& pod) {
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const Json& status : kube::array(pod, {"status", list})) {
      const std::string failure = container_failure(status);
      if (!failure.empty()) return failure;
    }
  }
  const std::string nowhere = unscheduled(pod);
  if (!nowhere.empty()) return nowhere;
  return std::string(kube::text(pod, {"status", "message"}));
}

}  // namespace

std::optional<SliceView> view_slice(const kube::Json& slice) {
  const std::string_view service = kube::label_of(slice, "kubernetes.io/service-name");
  if (service.size() <= kPrivate.size() || !service.ends_with(kPrivate)) return std::nullopt;
  SliceView view;
  view.revision.name_space = kube::namespace_of(slice);
  view.revision.revision = service.substr(0, service.size() - kPrivate.size());
  const std::uint16_t port = serving_port(slice);
  for (const Json& endpoint : kube::array(slice, {"endpoints"})) {
    // Absent means ready (discovery/v1); an address beyond the first is the same endpoint again.
    const bool ready = kube::boolean(endpoint, {"conditions", "ready"}, true);
    const Json& addresses = kube::array(endpoint, {"addresses"});
    if (addresses.empty() || !addresses[0].is_string()) continue;
    ErrorCode ec;
    const auto address = asio::ip::make_address(addresses[0].get<std::string>(), ec);
    if (ec) continue;
    SliceReplica replica;
    replica.name = kube::text(endpoint, {"targetRef", "name"});
    replica.address = asio::ip::tcp::endpoint(address, port);
    replica.ready = ready;
    view.replicas.push_back(std::move(replica));
  }
  return view;
}

PodView view_pod(const kube::Json& pod) {
  PodView view;
  view.name_space = kube::namespace_of(pod);
  view.name = kube::name_of(pod);
  view.revision = kube::label_of(pod, config::kRevisionLabel);
  const Json& owners = kube::array(pod, {"metadata", "ownerReferences"});
  if (!owners.empty()) view.owner = kube::text(owners[0], {"name"});
  const Json* condition = condition_of(pod, "Ready");
  view.ready = condition != nullptr && kube::text(*condition, {"status"}) == "True";
  const bool terminating = kube::find(pod, {"metadata", "deletionTimestamp"}) != nullptr;
  if (view.ready || terminating) return view;
  const std::string failure = pod_failure(pod);
  if (!failure.empty()) {
    view.failure = fmt::format("replica {}: {}", view.name, failure);
  } else if (condition != nullptr && !kube::text(*condition, {"message"}).empty()) {
    view.unready = fmt::format("replica {}: {}", view.name, kube::text(*condition, {"message"}));
  }
  return view;
}

std::string view_refusal(const kube::Json& deployment) {
  const Json* failure = condition_of(deployment, "ReplicaFailure");
  if (failure == nullptr || kube::text(*failure, {"status"}) != "True") return {};
  return fmt::format("{}: {}", kube::text(*failure, {"reason"}), kube::text(*failure, {"message"}));
}

}  // namespace pilotlight::activator
