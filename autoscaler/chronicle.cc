#include "autoscaler/chronicle.h"

#include <iterator>
#include <utility>

#include "autoscaler/decision_json.h"
#include "common/base/system_clock.h"

namespace pilotlight::autoscaler {
namespace {

using json = kube::Json;

constexpr std::size_t kPods = 64;  // of one revision; the others go untold
constexpr std::size_t kOrphans = 1000;

}  // namespace

void Chronicle::know(const wire::RevisionKey& revision, const std::string& service,
                     const std::string& deployment, TimePoint now) {
  Entry& entry = entries_[revision];
  entry.service = service;
  if (entry.deployment == deployment) return;
  by_deployment_.erase({revision.name_space, entry.deployment});
  entry.deployment = deployment;
  by_deployment_[{revision.name_space, deployment}] = revision;
  for (auto orphan = orphans_.begin(); orphan != orphans_.end();) {
    const auto owner = owner_of(orphan->second);
    if (owner != entries_.end()) pod_of(owner, orphan->second, now);
    orphan = owner == entries_.end() ? std::next(orphan) : orphans_.erase(orphan);
  }
}

void Chronicle::forget(const wire::RevisionKey& revision) {
  const auto entry = entries_.find(revision);
  if (entry == entries_.end()) return;
  by_deployment_.erase({revision.name_space, entry->second.deployment});
  entries_.erase(entry);
}

void Chronicle::write(const wire::RevisionKey& revision, const Entry& entry, std::string_view event,
                      json fields, TimePoint now) {
  if (file_ == nullptr) return;
  fields["ms"] = wall_clock_ns() / 1'000'000;
  fields["namespace"] = revision.name_space;
  fields["service"] = entry.service;
  fields["revision"] = revision.revision;
  fields["event"] = event;
  fields["at_ns"] = now.time_since_epoch().count();
  file_->append(fields.dump(-1, ' ', false, json::error_handler_t::replace));
}

void Chronicle::poked(const wire::RevisionKey& revision, std::uint32_t parked, Duration oldest_wait,
                      TimePoint now) {
  const auto entry = entries_.find(revision);
  if (entry == entries_.end()) return;
  entry->second.cold_starts.poked(now - oldest_wait);
  const auto wait_us = std::chrono::duration_cast<std::chrono::microseconds>(oldest_wait).count();
  write(revision, entry->second, "poke", {{"parked", parked}, {"oldest_wait_us", wait_us}}, now);
}

void Chronicle::decided(const wire::RevisionKey& revision, const LoggedDecision& logged,
                        const std::string& text) {
  const auto entry = entries_.find(revision);
  if (entry == entries_.end()) return;
  if (file_ != nullptr) {
    file_->append(decision_json(revision, entry->second.service, logged, text));
  }
  if (logged.from() == 0 && logged.desired() > 0) entry->second.cold_starts.woken(logged.at);
  if (logged.desired() == 0) entry->second.cold_starts.asleep();
}

void Chronicle::patched(const wire::RevisionKey& revision, const PatchOutcome& outcome) {
  const auto entry = entries_.find(revision);
  if (entry == entries_.end()) return;
  const bool taken = outcome.result == PatchResult::taken;
  if (taken && outcome.change.to > 0) entry->second.cold_starts.patched(outcome.ended_at);
  write(revision, entry->second, "patch", patch_fields(outcome), outcome.ended_at);
}

Chronicle::Entries::iterator Chronicle::owner_by_deployment(const std::string& name_space,
                                                            std::string_view deployment) {
  const auto found = by_deployment_.find({name_space, std::string(deployment)});
  return found == by_deployment_.end() ? entries_.end() : entries_.find(found->second);
}

Chronicle::Entries::iterator Chronicle::owner_of(const PodView& pod) {
  if (!pod.revision.empty()) return entries_.find({pod.name_space, pod.revision});
  const auto owner = owner_by_deployment(pod.name_space, pod.owner);
  if (owner != entries_.end()) return owner;
  // On a cluster the owner is a ReplicaSet: the Deployment's name and a hash.
  return owner_by_deployment(pod.name_space,
                             std::string_view(pod.owner).substr(0, pod.owner.rfind('-')));
}

void Chronicle::pod_changed(const PodView& pod, TimePoint now) {
  const auto owner = owner_of(pod);
  if (owner != entries_.end()) return pod_of(owner, pod, now);
  const Name name(pod.name_space, pod.name);
  if (orphans_.size() < kOrphans || orphans_.contains(name)) orphans_[name] = pod;
}

void Chronicle::pod_of(Entries::iterator owner, const PodView& pod, TimePoint now) {
  auto& pods = owner->second.pods;
  if (pods.size() >= kPods && !pods.contains(pod.name)) return;
  const auto [place, added] = pods.try_emplace(pod.name);
  Pod& known = place->second;
  const Pod before = std::exchange(known, {pod, known.runs_since});
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

void Chronicle::pod_gone(const PodView& pod, TimePoint now) {
  orphans_.erase(Name(pod.name_space, pod.name));
  const auto owner = owner_of(pod);
  if (owner == entries_.end() || owner->second.pods.erase(pod.name) == 0) return;
  write(owner->first, owner->second, "replica", phase_fields(pod.name, "gone"), now);
}

void Chronicle::image_pulled(const PulledView& pulled, TimePoint now) {
  for (auto& [revision, entry] : entries_) {
    if (revision.name_space != pulled.name_space || !entry.pods.contains(pulled.pod)) continue;
    entry.cold_starts.pod(pulled.pod, Phase::image, now);
    write(revision, entry, "replica", phase_fields(pulled.pod, to_string(Phase::image)), now);
    return;
  }
}

void Chronicle::replica_ready(const wire::RevisionKey& revision, const ReplicaRecord& replica,
                              TimePoint now) {
  const auto entry = entries_.find(revision);
  if (entry == entries_.end()) return;
  entry->second.cold_starts.ready(replica.name, replica.listen_us, replica.ready_us, now);
  write(revision, entry->second, "replica", ready_fields(replica), now);
  finish_cold_start(entry, now);
}

void Chronicle::replica_not_ready(const wire::RevisionKey& revision, const ReplicaRecord& replica,
                                  std::string_view reason, TimePoint now) {
  const auto entry = entries_.find(revision);
  if (entry == entries_.end()) return;
  json fields = phase_fields(replica.name, "not_ready");
  fields["reason"] = reason;
  write(revision, entry->second, "replica", std::move(fields), now);
}

void Chronicle::woken(const wire::RevisionKey& revision, const wire::Woken& frame, TimePoint now) {
  const auto entry = entries_.find(revision);
  if (entry == entries_.end()) return;
  if (frame.answered) {
    entry->second.cold_starts.answered(told_length(frame.waited_us));
    return finish_cold_start(entry, now);
  }
  const Pod* told = worst_of(entry->second);
  std::optional<Duration> running;
  if (told != nullptr && told->runs_since) running = now - *told->runs_since;
  json fields = wake_failed_fields(frame, told == nullptr ? nullptr : &told->view, running);
  if (told == nullptr && !entry->second.refused.empty()) fields["refused"] = entry->second.refused;
  write(revision, entry->second, "wake_failed", std::move(fields), now);
}

/// One that failed says more than one that is merely there.
const Chronicle::Pod* Chronicle::worst_of(const Entry& entry) {
  const Pod* worst = nullptr;
  for (const auto& [name, pod] : entry.pods) {
    if (pod.view.deleting) continue;
    if (worst == nullptr || (pod.view.broken() && !worst->view.broken())) worst = &pod;
  }
  return worst;
}

std::string Chronicle::cause(const wire::RevisionKey& revision) const {
  const auto entry = entries_.find(revision);
  if (entry == entries_.end()) return {};
  const Pod* worst = worst_of(entry->second);
  if (worst != nullptr && worst->view.broken()) {
    return worst->view.name + ": " + broken_text(worst->view);
  }
  return entry->second.refused;
}

void Chronicle::left_to(const wire::RevisionKey& revision, const std::string& who, TimePoint now) {
  const auto entry = entries_.find(revision);
  if (entry == entries_.end()) return;
  write(revision, entry->second, "left_alone", {{"scaled_by", who}}, now);
}

void Chronicle::creation_refused(const wire::RevisionKey& revision, const std::string& why,
                                 TimePoint now) {
  const auto entry = entries_.find(revision);
  if (entry == entries_.end() || entry->second.refused == why) return;
  entry->second.refused = why;
  if (why.empty()) return;
  write(revision, entry->second, "refused", {{"reason", why}}, now);
}

bool Chronicle::refused(const wire::RevisionKey& revision, const SourceId& source,
                        const RefusalCounts& counted, TimePoint now) {
  const auto entry = entries_.find(revision);
  if (entry == entries_.end()) return false;
  entry->second.refusals.report(source, counted, now);
  return entry->second.refusals.open();
}

void Chronicle::lost(const wire::RevisionKey& revision, const SourceId& source) {
  const auto entry = entries_.find(revision);
  if (entry != entries_.end()) entry->second.refusals.lost(source);
}

void Chronicle::finish_cold_start(Entries::iterator owner, TimePoint now) {
  const auto story = owner->second.cold_starts.take(now);
  if (story) {
    write(owner->first, owner->second, "cold_start", cold_start_fields(*story), now);
  }
}

bool Chronicle::advance(const wire::RevisionKey& revision, TimePoint now) {
  const auto entry = entries_.find(revision);
  if (entry == entries_.end()) return false;
  finish_cold_start(entry, now);
  const auto summary = entry->second.refusals.take(now);
  if (summary) write(revision, entry->second, "refusals", refusal_fields(*summary), now);
  return entry->second.refusals.open();
}

const ColdStarts* Chronicle::cold_starts(const wire::RevisionKey& revision) const {
  const auto entry = entries_.find(revision);
  return entry == entries_.end() ? nullptr : &entry->second.cold_starts;
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
