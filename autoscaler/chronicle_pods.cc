// Chronicle's other half: what the API tells of Pods, and what keeps replicas from being ready.

#include <utility>

#include "autoscaler/chronicle.h"

namespace pilotlight::autoscaler {
namespace {

using json = kube::Json;

constexpr std::size_t kPods = 64;  // of one revision; the others go untold
constexpr std::size_t kOrphans = 1000;

}  // namespace

Chronicle::Entries::iterator Chronicle::owner_by_deployment(const std::string& name_space,
                                                            std::string_view deployment) {
  const auto found = by_deployment_.find({name_space, std::string(deployment)});
  return found == by_deployment_.end() ? entries_.end() : entries_.find(found->second);
}

Chronicle::Entries::iterator Chronicle::owner_by_pod(const Name& pod) {
  const auto found = by_pod_.find(pod);
  return found == by_pod_.end() ? entries_.end() : entries_.find(found->second);
}

Chronicle::Entries::iterator Chronicle::owner_of(const PodView& pod) {
  if (!pod.revision.empty()) return entries_.find({pod.name_space, pod.revision});
  const auto owner = owner_by_deployment(pod.name_space, pod.owner);
  if (owner != entries_.end()) return owner;
  // On a cluster the owner is a ReplicaSet: the Deployment's name and a hash.
  return owner_by_deployment(pod.name_space,
                             std::string_view(pod.owner).substr(0, pod.owner.rfind('-')));
}

const wire::RevisionKey* Chronicle::pod_changed(const PodView& pod, TimePoint now) {
  const auto owner = owner_of(pod);
  if (owner != entries_.end()) {
    pod_of(owner, pod, now);
    return &owner->first;
  }
  const Name name(pod.name_space, pod.name);
  if (orphans_.size() < kOrphans || orphans_.contains(name)) orphans_[name].view = pod;
  return nullptr;
}

void Chronicle::pod_of(Entries::iterator owner, const PodView& pod, TimePoint now) {
  auto& pods = owner->second.pods;
  if (pods.size() >= kPods && !pods.contains(pod.name)) return;
  by_pod_[{pod.name_space, pod.name}] = owner->first;
  const auto [place, added] = pods.try_emplace(pod.name);
  Pod& known = place->second;
  const Pod before = std::exchange(known, {pod, known.runs_since, known.warning});
  if (pod.reached != before.view.reached) known.warning.reset();
  if (pod.reached != Phase::start) known.runs_since.reset();
  if (pod.reached == Phase::start && !known.runs_since) known.runs_since = now;
  // One that was there before this process tells nothing new.
  if (!added || !pod.ready) tell_change(owner, before, pod, now);
}

void Chronicle::tell_change(Entries::iterator owner, const Pod& before, const PodView& pod,
                            TimePoint now) {
  Entry& entry = owner->second;
  if (pod.deleting) return;  // it ends because it was asked to
  const bool ended_anew =
      pod.end && (pod.end != before.view.end || pod.restarts > before.view.restarts);
  if (ended_anew) write(owner->first, entry, "replica", exited_fields(pod), now);
  if (!pod.blocked.empty() && pod.blocked != before.view.blocked) {
    json fields = phase_fields(pod.name, "blocked");
    fields["reason"] = pod.blocked;
    write(owner->first, entry, "replica", std::move(fields), now);
  }
  if (!pod.reached) return;
  const bool advanced = !before.view.reached || *before.view.reached < *pod.reached;
  const bool restarted = pod.restarts > before.view.restarts && *pod.reached == Phase::start;
  if (!advanced && !restarted) return;
  entry.cold_starts.pod(pod.name, *pod.reached, now);
  write(owner->first, entry, "replica", phase_fields(pod.name, to_string(*pod.reached)), now);
}

const wire::RevisionKey* Chronicle::pod_gone(const PodView& pod, TimePoint now) {
  orphans_.erase(Name(pod.name_space, pod.name));
  const auto owner = owner_of(pod);
  if (owner == entries_.end() || owner->second.pods.erase(pod.name) == 0) return nullptr;
  by_pod_.erase(Name(pod.name_space, pod.name));
  write(owner->first, owner->second, "replica", phase_fields(pod.name, "gone"), now);
  return &owner->first;
}

const wire::RevisionKey* Chronicle::pod_warned(const WarningView& warning, TimePoint now) {
  const Name name(warning.name_space, warning.pod);
  const auto owner = owner_by_pod(name);
  if (owner != entries_.end()) {
    warned_of(owner->first, owner->second, owner->second.pods.at(warning.pod), warning, now);
    return &owner->first;
  }
  const auto orphan = orphans_.find(name);
  if (orphan != orphans_.end()) orphan->second.warning = warning;
  return nullptr;
}

/// Its text may differ each time that it is said again; its reason is what is written down.
void Chronicle::warned_of(const wire::RevisionKey& revision, const Entry& entry, Pod& pod,
                          const WarningView& warning, TimePoint now) {
  if (pod.warning && !warning.at.empty() && warning.at < pod.warning->at) return;
  const bool is_new = !pod.warning || pod.warning->reason != warning.reason;
  pod.warning = warning;
  if (!is_new || !pod.warned()) return;
  json fields = phase_fields(pod.view.name, "warning");
  fields["reason"] = warning.text;
  write(revision, entry, "replica", std::move(fields), now);
}

const wire::RevisionKey* Chronicle::image_pulled(const PulledView& pulled, TimePoint now) {
  const auto owner = owner_by_pod({pulled.name_space, pulled.pod});
  if (owner == entries_.end()) return nullptr;
  auto& [revision, entry] = *owner;
  entry.pods.at(pulled.pod).warning.reset();  // it gets on
  entry.cold_starts.pod(pulled.pod, Phase::image, now);
  write(revision, entry, "replica", phase_fields(pulled.pod, to_string(Phase::image)), now);
  return &revision;
}

/// An app that runs needs time; what was said before it did is over.
bool Chronicle::Pod::warned() const noexcept {
  return warning && !view.ready && !view.deleting && view.reached != Phase::start;
}

/// What its containers and conditions say is newer, and more to the point, than an Event.
std::string Chronicle::Pod::trouble() const {
  if (view.broken()) return broken_text(view);
  return warned() ? warning->text : std::string();
}

/// One that failed says more than one that is held up, and that more than one that is merely there.
const Chronicle::Pod* Chronicle::worst_of(const Entry& entry) {
  const auto badness = [](const Pod& pod) { return pod.view.broken() ? 2 : pod.warned() ? 1 : 0; };
  const Pod* worst = nullptr;
  for (const auto& [name, pod] : entry.pods) {
    if (pod.view.deleting) continue;
    if (worst == nullptr || badness(pod) > badness(*worst)) worst = &pod;
  }
  return worst;
}

std::string Chronicle::cause(const wire::RevisionKey& revision) const {
  const auto entry = entries_.find(revision);
  if (entry == entries_.end()) return {};
  const Entry& told = entry->second;
  const Pod* worst = worst_of(told);
  const std::string trouble = worst == nullptr ? std::string() : worst->trouble();
  if (!trouble.empty()) return worst->view.name + ": " + trouble;
  if (!told.refused.empty()) return told.refused;
  // Who scales it has brought some up: then it is not asleep.
  if (worst == nullptr && !told.scaled_by.empty()) return left_alone_text(told.scaled_by);
  return told.not_taken;
}

Chronicle::PodCounts Chronicle::pods(const wire::RevisionKey& revision) const {
  PodCounts counts;
  const auto entry = entries_.find(revision);
  if (entry == entries_.end()) return counts;
  for (const auto& [name, pod] : entry->second.pods) {
    if (pod.view.deleting) {
      ++counts.terminating;
    } else if (!pod.view.ready) {
      ++counts.not_ready;
      if (pod.view.reached != Phase::start) ++counts.pending;
    }
  }
  return counts;
}

}  // namespace pilotlight::autoscaler
