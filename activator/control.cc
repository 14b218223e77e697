#include "activator/control.h"

#include <fmt/format.h>

#include "activator/door_plan.h"
#include "common/base/log.h"

namespace pilotlight::activator {
namespace {

using kube::Json;

constexpr Duration kLeaveTime = DoorPlan::kLinger;

std::string full_name(const Json& object) {
  return fmt::format("{}/{}", kube::namespace_of(object), kube::name_of(object));
}

}  // namespace

class Control::Deployments final : public kube::Watcher::Listener {
 public:
  explicit Deployments(Control& owner) : owner_(owner) {}
  void applied(const Json& object) override { owner_.deployment_applied(object); }
  void removed(const Json& object) override { owner_.deployment_removed(object); }
  void synced() override {
    owner_.listed_ = true;
    owner_.publish();
    owner_.parts_.listener.routed();
    owner_.tell_doors(true);
  }

 private:
  Control& owner_;
};

class Control::Slices final : public kube::Watcher::Listener {
 public:
  explicit Slices(Control& owner) : owner_(owner) {}
  void applied(const Json& object) override { owner_.slice_changed(object, true); }
  void removed(const Json& object) override { owner_.slice_changed(object, false); }

 private:
  Control& owner_;
};

class Control::Pods final : public kube::Watcher::Listener {
 public:
  explicit Pods(Control& owner) : owner_(owner) {}
  void applied(const Json& object) override { owner_.pod_changed(object); }
  void removed(const Json& object) override { owner_.pod_removed(object); }

 private:
  Control& owner_;
};

class Control::Services final : public kube::Watcher::Listener {
 public:
  explicit Services(Control& owner) : owner_(owner) {}
  void applied(const Json& object) override {
    owner_.tell_doors(owner_.doors_.service_applied(object));
  }
  void removed(const Json& object) override {
    owner_.tell_doors(owner_.doors_.service_removed(object));
  }
  void synced() override {
    owner_.services_listed_ = true;
    owner_.tell_doors(true);
  }

 private:
  Control& owner_;
};

Control::Control(const Parts& parts)
    : parts_(parts),
      deployments_(std::make_unique<Deployments>(*this)),
      slices_(std::make_unique<Slices>(*this)),
      pods_(std::make_unique<Pods>(*this)),
      services_(std::make_unique<Services>(*this)),
      pause_(parts.clock.make_timer()) {}

Control::~Control() = default;

void Control::use(Homes& homes, wire::Client& autoscaler) {
  homes_ = &homes;
  autoscaler_ = &autoscaler;
}

kube::Watcher::Listener& Control::deployments() noexcept { return *deployments_; }
kube::Watcher::Listener& Control::slices() noexcept { return *slices_; }
kube::Watcher::Listener& Control::pods() noexcept { return *pods_; }
kube::Watcher::Listener& Control::services() noexcept { return *services_; }

void Control::tell_doors(bool changed) {
  if (changed && listed_ && services_listed_) parts_.listener.doors_changed(doors_.doors());
}

void Control::deployment_applied(const Json& object) {
  if (!config::is_injected(object)) return deployment_leaves(full_name(object));
  const auto view = config::view_deployment(object);
  if (!view) {
    // The last good one stays: a live edit must not take a service away.
    for (const std::string& problem : view.error()) {
      log_warn("deployment not understood", {{"problem", problem}});
    }
    return;
  }
  deployment_stays(full_name(object));
  route(*view);
  refused(Key{view->name_space, view->revision}, view_refusal(object));
  tell_doors(doors_.deployment_applied(*view));
}

/// Its label is gone. Until the last node has heard where its Services lead now, requests come here
/// as before, and find the replicas as they were.
void Control::deployment_leaves(const std::string& name) {
  const auto place = by_deployment_.find(name);
  if (place == by_deployment_.end()) return;
  if (!leaving_.try_emplace(name, parts_.clock.now() + kLeaveTime).second) return;
  known_[place->second].leaving = true;
}

void Control::deployment_stays(const std::string& name) {
  if (leaving_.erase(name) == 0) return;
  Known& known = known_[by_deployment_.at(name)];
  known.leaving = false;
  apply_replicas(known);
}

void Control::end_leaving() {
  const TimePoint now = parts_.clock.now();
  std::vector<std::string> due;
  for (auto& [name, until] : leaving_) {
    const std::size_t slash = name.find('/');
    if (doors_.leads_to(name.substr(0, slash), name.substr(slash + 1))) {
      until = now + kLeaveTime;  // its Services still lead here
    } else if (until <= now) {
      due.push_back(name);
    }
  }
  for (const std::string& name : due) deployment_gone(name);
}

void Control::route(const config::DeploymentView& view) {
  const Key key{view.name_space, view.revision};
  auto [place, added] =
      by_deployment_.try_emplace(view.name_space + "/" + view.deployment_name, key);
  if (!added && place->second != key) {
    forget(place->second);
    place->second = key;
  }
  Known& known = known_[key];
  auto info = std::make_shared<RevisionInfo>();
  info->id = known.info ? known.info->id : next_id_++;
  info->home = home_shard(key.name_space, key.revision, homes_->shards());
  info->name_space = key.name_space;
  info->name = key.revision;
  info->service = view.service;
  info->capacity = view.container_concurrency;
  info->timeout = view.timeout;
  info->response_start_timeout = view.response_start_timeout;
  info->idle_timeout = view.idle_timeout;
  if (known.info && *known.info == *info) return;
  const bool is_new = !known.info;
  known.info = std::move(info);
  known.deployment = view.deployment_name;
  homes_->install(known.info);
  if (is_new) {
    apply_replicas(known);
    tell_failure(known);
  }
  publish_due_ = true;
  if (listed_) publish();  // of a first list, all at its end
}

/// All that both sides have told of its replicas.
void Control::apply_replicas(Known& known) {
  apply_slices(known);
  if (known.endpoints) homes_->apply(known.info, *known.endpoints);
}

void Control::apply_slices(Known& known) {
  std::vector<SliceReplica> all;
  for (const auto& [slice, replicas] : known.slices) {
    all.insert(all.end(), replicas.begin(), replicas.end());
  }
  homes_->apply_slices(known.info, all);
}

void Control::deployment_removed(const Json& object) { deployment_gone(full_name(object)); }

void Control::deployment_gone(const std::string& name) {
  leaving_.erase(name);
  const auto place = by_deployment_.find(name);
  if (place == by_deployment_.end()) return;
  const Key key = place->second;
  by_deployment_.erase(place);
  const std::size_t slash = name.find('/');
  tell_doors(doors_.deployment_removed(name.substr(0, slash), name.substr(slash + 1)));
  forget(key);
  publish();
}

void Control::forget(const Key& key) {
  const auto found = known_.find(key);
  if (found == known_.end() || !found->second.info) return;
  const RevisionPtr gone = found->second.info;
  known_.erase(found);
  publish_due_ = true;
  publish();  // first no route, then no revision
  homes_->retire(gone);
}

void Control::publish() {
  if (!publish_due_) return;
  publish_due_ = false;
  std::vector<RevisionPtr> all;
  for (const auto& [key, known] : known_) {
    if (known.info) all.push_back(known.info);
  }
  homes_->publish(std::make_shared<RouteTable>(all));
}

void Control::slice_changed(const Json& object, bool exists) {
  auto view = view_slice(object);
  if (!view) return;
  const std::string name(kube::name_of(object));
  Known& known = known_[view->revision];
  if (exists) {
    known.slices[name] = std::move(view->replicas);
  } else {
    known.slices.erase(name);
  }
  if (!known.info) {
    if (known.slices.empty() && !known.endpoints) known_.erase(view->revision);
    return;
  }
  if (!known.leaving) apply_slices(known);
}

Control::Known* Control::find_pod_owner(const PodView& pod) {
  const auto by_key = [&](std::string_view revision) -> Known* {
    const auto found = known_.find(Key{pod.name_space, std::string(revision)});
    return found == known_.end() || !found->second.info ? nullptr : &found->second;
  };
  if (!pod.revision.empty()) return by_key(pod.revision);
  const auto by_owner = [&](std::string_view owner) -> Known* {
    const auto found = by_deployment_.find(fmt::format("{}/{}", pod.name_space, owner));
    return found == by_deployment_.end() ? nullptr : by_key(found->second.revision);
  };
  if (Known* known = by_owner(pod.owner)) return known;
  // On a cluster the owner is a ReplicaSet: the Deployment's name and a hash.
  return by_owner(std::string_view(pod.owner).substr(0, pod.owner.rfind('-')));
}

void Control::pod_changed(const Json& object) {
  const PodView pod = view_pod(object);
  Known* known = find_pod_owner(pod);
  if (known == nullptr) return;
  if (pod.failure.empty() && pod.unready.empty() && !pod.ready) return;
  if (known->failure == pod.failure && known->unready == pod.unready) return;
  known->failure = pod.failure;
  known->failed = pod.failure.empty() ? "" : pod.name;
  known->unready = pod.unready;
  tell_failure(*known);
}

/// Its last words stay until a replica is ready, and are the cause where nothing newer is known.
void Control::pod_removed(const Json& object) {
  const PodView pod = view_pod(object);
  Known* known = find_pod_owner(pod);
  if (known == nullptr || known->failed != pod.name) return;
  known->failed.clear();
  tell_failure(*known);
}

void Control::refused(const Key& key, std::string why) {
  const auto found = known_.find(key);
  if (found == known_.end() || found->second.refusal == why) return;
  found->second.refusal = std::move(why);
  tell_failure(found->second);
}

/// What a Pod of it says comes first: it got further. What the autoscaler says is more than that a
/// Pod is not ready yet.
std::string_view Control::cause_of(const Known& known) noexcept {
  if (!known.failed.empty()) return known.failure;
  if (!known.refusal.empty()) return known.refusal;
  if (known.endpoints && !known.endpoints->cause.empty()) return known.endpoints->cause;
  return known.unready.empty() ? known.failure : known.unready;
}

void Control::tell_failure(const Known& known) {
  homes_->set_failure(known.info, std::string(cause_of(known)));
}

}  // namespace pilotlight::activator
