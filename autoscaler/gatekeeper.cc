#include "autoscaler/gatekeeper.h"

#include <utility>

namespace pilotlight::autoscaler {

/// Who waits for a pod to be seen: in the frame of find_pod(), and gone with it.
struct Gatekeeper::Waiter {
  Waiter(Gatekeeper& k, const PodKey& key)
      : keeper(k), seen(k.clock_), place(k.waiting_.emplace(key, &seen)) {}
  ~Waiter() { keeper.waiting_.erase(place); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  Gatekeeper& keeper;
  Event seen;
  std::multimap<PodKey, Event*>::iterator place;
};

Gatekeeper::Gatekeeper(Clock& clock, TokenReviews& reviews, std::string own_space)
    : clock_(clock), reviews_(reviews), own_space_(std::move(own_space)) {}

void Gatekeeper::pod_seen(const PodIdentity& identity) {
  const PodKey key(identity.name_space, identity.name);
  Pod& pod = pods_[key];
  const bool another = pod.identity.uid != identity.uid ||
                       pod.identity.sidecar_restarts != identity.sidecar_restarts;
  if (another) pod.newest_epoch.reset();
  pod.identity = identity;
  const auto [first, last] = waiting_.equal_range(key);
  for (auto place = first; place != last; ++place) place->second->set();
  if (pod.believed.empty() || identity.addresses.empty()) return;
  const std::string believed = std::exchange(pod.believed, std::string());
  if (exposed_ && !may_be_at(identity, believed)) exposed_(identity, believed);
}

void Gatekeeper::pod_gone(const std::string& name_space, const std::string& name) {
  pods_.erase(PodKey(name_space, name));
}

/// Null when it is not seen until then. Good until the caller suspends.
Task<Gatekeeper::Pod*> Gatekeeper::find_pod(PodKey key, TimePoint deadline) {
  if (!pods_.contains(key)) {
    Waiter waiter(*this, key);
    co_await waiter.seen.wait(deadline);
  }
  const auto found = pods_.find(key);
  co_return found == pods_.end() ? nullptr : &found->second;
}

Task<std::optional<wire::Objection>> Gatekeeper::check(const wire::Hello& hello,
                                                       TimePoint deadline) {
  wire::Objection objection;
  if (hello.token.empty()) {
    objection.why = wire::Refusal::token;
    objection.text = "no token";
    co_return objection;
  }
  const Result<TokenOwner> owner = co_await reviews_.owner_of(hello.token, deadline);
  if (!owner) {
    objection.text = "the token could not be reviewed: " + owner.error().message();
    co_return objection;
  }
  auto wrong = object_to_token(hello, *owner, own_space_);
  if (wrong || hello.role == wire::Role::activator) co_return wrong;
  Pod* pod = co_await find_pod(PodKey(owner->name_space, owner->pod), deadline);
  if (pod == nullptr) {
    objection.text = "pod " + owner->pod + " is not known here yet";
    co_return objection;
  }
  wrong = object_to_pod(hello, *owner, pod->identity, pod->newest_epoch);
  if (wrong) co_return wrong;
  pod->newest_epoch = hello.epoch;
  if (pod->identity.addresses.empty()) pod->believed = hello.address;
  co_return std::nullopt;
}

}  // namespace pilotlight::autoscaler
