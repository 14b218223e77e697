#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/async/scope.h"
#include "common/control/event_log.h"
#include "local/address_block.h"
#include "local/api/store.h"
#include "local/pod_launch.h"
#include "local/replica.h"

namespace pilotlight::local {

/// Plays the kubelet: a Pod in the store becomes a replica, its deletion ends it, and what happens
/// to it is written into its status.
///
/// A Pod is started inside the call that creates it, so a scale PATCH has its processes on the way
/// when it is answered. Events it records: `replica_started` {namespace,
/// service, revision, replica, created_at_us, app_exec_at_us, sidecar_exec_at_us, restarts},
/// `replica_exited`
/// {..., cause, code, signal, restarts, retry_ms, log}, `replica_up` and `replica_down` (readiness,
/// as its probe sees it), `replica_ended`. One shard, the store's.
class PodRuntime {
 public:
  struct Parts {
    Executor executor;
    Clock& clock;
    ApiStore& store;
    ShimLauncher& launcher;
    AddressBlock& addresses;
    PortPool& ports;
    std::function<void(std::string_view kind, Json fields)> record;  ///< Takes the events.
  };

  PodRuntime(const Parts& parts, LaunchSettings settings);
  ~PodRuntime();
  PodRuntime(const PodRuntime&) = delete;
  PodRuntime& operator=(const PodRuntime&) = delete;

  /// Ends every replica, each with these limits, and starts no more. Suspends until all have ended.
  [[nodiscard]] Task<> stop(Duration drain, Duration grace);

  /// Kills what is left, for whoever waits in stop().
  void hurry();

  /// The replica of a Pod, or null. Good until the next suspension.
  [[nodiscard]] Replica* find(const std::string& space, const std::string& pod);

  [[nodiscard]] std::size_t replicas() const noexcept { return replicas_.size(); }

 private:
  using Key = std::pair<std::string, std::string>;  // namespace, pod
  struct Hosted {
    std::unique_ptr<Replica> replica;
    LaunchFacts facts;
    std::int64_t created_at_us = 0;
  };

  void on_change(const Change& change);
  void start(const Json& pod);
  void begin_stop(const Json& pod);
  void start_pending();
  [[nodiscard]] bool reserve(LaunchFacts& facts);
  void release(const LaunchFacts& facts);
  void refuse(const Json& pod, const char* reason, const std::string& message);
  void on_replica(Replica& replica, Replica::Happening what);
  void record(const char* kind, const Replica& replica, Json fields);
  [[nodiscard]] Task<> host(Key key);

  Parts parts_;
  LaunchSettings settings_;
  std::map<Key, Hosted> replicas_;
  std::deque<Object> pending_;  // Pods that found no address or port
  bool stopping_ = false;
  Scope scope_;
  ApiStore::Subscription subscription_;
};

}  // namespace pilotlight::local
