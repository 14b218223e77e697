#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "autoscaler/identity.h"
#include "autoscaler/token_reviews.h"
#include "common/wire/gate.h"

namespace pilotlight::autoscaler {

/// Who may speak on a cluster: an activator with a token of its service account; a sidecar with its
/// pod's own token, for that pod, its revision and its address, and never an older process of it
/// than one that has spoken before.
///
/// Pods are known by the watch of them. One that is not seen yet is waited for, until the
/// connection's deadline; after that its sidecar is told to come again. An address that the API
/// server does not know yet is believed until it does, because a sidecar is there before the
/// kubelet has told of its pod. The newest epoch of a pod
/// is remembered as long as the pod is there and its sidecar's container is not restarted, so a
/// clock that was set back locks nobody out. One shard.
class Gatekeeper final : public wire::Gate {
 public:
  /// Called when the address that somebody was admitted with turns out not to be the pod's.
  using Exposed = std::function<void(const PodIdentity& pod, const std::string& address)>;

  /// `own_space` is the namespace of the activators.
  Gatekeeper(Clock& clock, TokenReviews& reviews, std::string own_space);

  void on_exposed(Exposed exposed) { exposed_ = std::move(exposed); }

  void pod_seen(const PodIdentity& pod);
  void pod_gone(const std::string& name_space, const std::string& name);

  [[nodiscard]] Task<std::optional<wire::Objection>> check(const wire::Hello& hello,
                                                           TimePoint deadline) override;

 private:
  using PodKey = std::pair<std::string, std::string>;  // namespace, name
  struct Pod {
    PodIdentity identity;
    std::optional<std::uint64_t> newest_epoch;
    std::string believed;  // the address of its sidecar, before it could be checked
  };
  struct Waiter;

  [[nodiscard]] Task<Pod*> find_pod(PodKey key, TimePoint deadline);

  Clock& clock_;
  TokenReviews& reviews_;
  std::string own_space_;
  Exposed exposed_;
  std::map<PodKey, Pod> pods_;
  std::multimap<PodKey, Event*> waiting_;
};

}  // namespace pilotlight::autoscaler
