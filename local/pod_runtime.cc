#include "local/pod_runtime.h"

#include <algorithm>

#include <fmt/format.h>

#include "common/base/log.h"
#include "local/pod_status.h"

namespace pilotlight::local {
namespace {

using std::chrono::seconds;

// After the sidecar has drained the app has nothing left to answer.
constexpr Duration kAppGraceLimit = seconds(10);

Object owner_of(const ApiStore& store, const Json& pod) {
  const Json& owners = kube::array(pod, {"metadata", "ownerReferences"});
  if (owners.empty()) return nullptr;
  return store.find(kube::kDeployments, kube::namespace_of(pod), kube::text(owners[0], {"name"}));
}

bool deleting(const Json& pod) {
  return kube::find(pod, {"metadata", "deletionTimestamp"}) != nullptr;
}

}  // namespace

PodRuntime::PodRuntime(const Parts& parts, LaunchSettings settings)
    : parts_(parts), settings_(std::move(settings)), scope_(parts.executor) {
  subscription_ = parts_.store.subscribe([this](const Change& change) { on_change(change); });
}

PodRuntime::~PodRuntime() = default;

void PodRuntime::on_change(const Change& change) {
  if (change.resource != kube::kPods) return;
  if (change.type == Change::Type::added) start(*change.object);
  if (change.type == Change::Type::modified && deleting(*change.object)) {
    begin_stop(*change.object);
  }
  if (change.type == Change::Type::deleted) begin_stop(*change.object);
}

void PodRuntime::start(const Json& pod) {
  if (stopping_ || deleting(pod)) return;
  const Object deployment = owner_of(parts_.store, pod);
  if (!deployment) return refuse(pod, "NoOwner", "only Pods of a Deployment are run here");
  LaunchFacts facts;
  if (!reserve(facts)) {
    refuse(pod, "Unschedulable", "every address or port for replicas is in use");
    pending_.push_back(std::make_shared<const Json>(pod));
    return;
  }
  auto spec = plan_replica(pod, *deployment, settings_, facts);
  if (!spec) {
    release(facts);
    return refuse(pod, "InvalidSpec", fmt::format("{}", fmt::join(spec.error(), "; ")));
  }
  const Key key(spec->space, spec->pod);
  Hosted& hosted = replicas_[key];
  hosted.facts = facts;
  hosted.created_at_us = control::monotonic_us(parts_.clock.now());
  hosted.replica = std::make_unique<Replica>(
      parts_.executor, parts_.clock, parts_.launcher, std::move(*spec),
      [this](Replica& replica, Replica::Happening what) { on_replica(replica, what); });
  scope_.spawn(host(key));
}

Task<> PodRuntime::host(Key key) {
  co_await replicas_.at(key).replica->run();
  release(replicas_.at(key).facts);
  replicas_.erase(key);
  parts_.store.remove_now(kube::kPods, key.first, key.second);
  start_pending();
}

void PodRuntime::start_pending() {
  if (pending_.empty()) return;
  const Object pod = pending_.front();
  pending_.pop_front();
  const Object now = parts_.store.find(kube::kPods, kube::namespace_of(*pod), kube::name_of(*pod));
  if (now) start(*now);
}

void PodRuntime::begin_stop(const Json& pod) {
  const std::string space(kube::namespace_of(pod));
  const std::string name(kube::name_of(pod));
  Replica* replica = find(space, name);
  if (replica == nullptr) {
    if (deleting(pod)) parts_.store.remove_now(kube::kPods, space, name);
    return;
  }
  if (replica->facts().state == ReplicaFacts::State::terminating) return;
  const Duration drain =
      seconds(kube::integer(pod, {"metadata", "deletionGracePeriodSeconds"}).value_or(30));
  replica->stop(drain, std::min(drain, kAppGraceLimit));
}

Task<> PodRuntime::stop(Duration drain, Duration grace) {
  stopping_ = true;
  pending_.clear();
  for (auto& [key, hosted] : replicas_) hosted.replica->stop(drain, grace);
  co_await scope_.join();
}

void PodRuntime::hurry() {
  for (auto& [key, hosted] : replicas_) hosted.replica->stop(Duration::zero(), Duration::zero());
}

Replica* PodRuntime::find(const std::string& space, const std::string& pod) {
  const auto found = replicas_.find(Key(space, pod));
  return found == replicas_.end() ? nullptr : found->second.replica.get();
}

bool PodRuntime::reserve(LaunchFacts& facts) {
  const auto address = parts_.addresses.take();
  if (!address) return false;
  facts.address = *address;
  for (std::uint16_t& port : facts.app_ports) {
    const auto taken = parts_.ports.take();
    if (!taken) {
      release(facts);
      return false;
    }
    port = *taken;
  }
  return true;
}

void PodRuntime::release(const LaunchFacts& facts) {
  parts_.addresses.give_back(facts.address);
  for (const std::uint16_t port : facts.app_ports) parts_.ports.give_back(port);
}

void PodRuntime::refuse(const Json& pod, const char* reason, const std::string& message) {
  log_warn("pod not started", {{"pod", kube::name_of(pod)}, {"reason", message}});
  parts_.store.set_status(kube::kPods, kube::namespace_of(pod), kube::name_of(pod),
                          failed_pod_status(reason, message));
}

void PodRuntime::on_replica(Replica& replica, Replica::Happening what) {
  const ReplicaSpec& spec = replica.spec();
  const ReplicaFacts& facts = replica.facts();
  switch (what) {
    case Replica::Happening::started:
      record("replica_started", replica,
             {{"created_at_us", replicas_.at(Key(spec.space, spec.pod)).created_at_us},
              {"app_exec_at_us", facts.app_exec_us},
              {"sidecar_exec_at_us", facts.sidecar_exec_us},
              {"restarts", facts.restarts}});
      break;
    case Replica::Happening::exited:
      record("replica_exited", replica,
             {{"cause", facts.last_exit->story()},
              {"role", facts.last_exit->role},
              {"code", facts.last_exit->code},
              {"signal", facts.last_exit->by_signal},
              {"restarts", facts.restarts},
              {"retry_ms",
               std::chrono::duration_cast<std::chrono::milliseconds>(facts.retry_in).count()},
              {"log", facts.last_exit->lines}});
      break;
    case Replica::Happening::changed:
      record(facts.ready ? "replica_up" : "replica_down", replica, Json::object());
      break;
    case Replica::Happening::ended: record("replica_ended", replica, Json::object()); return;
  }
  parts_.store.set_status(kube::kPods, spec.space, spec.pod, pod_status(spec, facts, timestamp()));
}

void PodRuntime::record(const char* kind, const Replica& replica, Json fields) {
  const ReplicaSpec& spec = replica.spec();
  fields["namespace"] = spec.space;
  fields["service"] = spec.service;
  fields["revision"] = spec.revision;
  fields["replica"] = spec.pod;
  parts_.record(kind, std::move(fields));
}

}  // namespace pilotlight::local
