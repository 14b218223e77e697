#include "autoscaler/chronicle.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "autoscaler/decision_json.h"
#include "common/base/system_clock.h"

namespace pilotlight::autoscaler {
namespace {

using json = kube::Json;

/// Why there is not even a Pod, as far as it is known.
void add_no_pod(json& fields, const std::string& refused, const std::string& scaled_by,
                const std::string& not_taken) {
  if (!refused.empty()) {
    fields["refused"] = refused;
  } else if (!scaled_by.empty()) {
    fields["scaled_by"] = scaled_by;
  } else if (!not_taken.empty()) {
    fields["not_taken"] = not_taken;
  }
}

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
    const Pod& pod = orphan->second;
    const auto owner = owner_of(pod.view);
    if (owner != entries_.end()) pod_of(owner, pod.view, now);
    if (owner != entries_.end() && pod.warning) pod_warned(*pod.warning, now);
    orphan = owner == entries_.end() ? std::next(orphan) : orphans_.erase(orphan);
  }
}

void Chronicle::forget(const wire::RevisionKey& revision) {
  const auto entry = entries_.find(revision);
  if (entry == entries_.end()) return;
  by_deployment_.erase({revision.name_space, entry->second.deployment});
  for (const auto& [name, pod] : entry->second.pods) by_pod_.erase({revision.name_space, name});
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

void Chronicle::write_decision(const wire::RevisionKey& revision, const LoggedDecision& logged,
                               const std::string& text) {
  const auto entry = entries_.find(revision);
  if (entry == entries_.end() || file_ == nullptr) return;
  file_->append(decision_json(revision, entry->second.service, logged, text));
}

void Chronicle::decided(const wire::RevisionKey& revision, const LoggedDecision& logged) {
  const auto entry = entries_.find(revision);
  if (entry == entries_.end()) return;
  if (logged.from() == 0 && logged.desired() > 0) entry->second.cold_starts.woken(logged.at);
  if (logged.desired() == 0) entry->second.cold_starts.asleep();
}

void Chronicle::patched(const wire::RevisionKey& revision, const PatchOutcome& outcome) {
  const auto entry = entries_.find(revision);
  if (entry == entries_.end()) return;
  const bool taken = outcome.result == PatchResult::taken;
  entry->second.not_taken = not_taken_text(outcome);
  if (taken && outcome.change.to > 0) entry->second.cold_starts.patched(outcome.ended_at);
  json fields = patch_fields(outcome);
  const PatchResult before = std::exchange(entry->second.last_patch, outcome.result);
  if (!taken && outcome.attempt > 1 && outcome.result != before) fields["changed"] = true;
  write(revision, entry->second, "patch", std::move(fields), outcome.ended_at);
}

void Chronicle::replica_ready(const wire::RevisionKey& revision, const ReplicaRecord& replica,
                              TimePoint now) {
  const auto entry = entries_.find(revision);
  if (entry == entries_.end()) return;
  const Duration probing =
      told_length(replica.ready_us - std::min(replica.listen_us, replica.ready_us));
  entry->second.cold_starts.ready(replica.name, probing + told_length(replica.told_us), now);
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
  if (told != nullptr && told->warned()) fields["warning"] = told->warning->text;
  if (told == nullptr) {
    add_no_pod(fields, entry->second.refused, entry->second.scaled_by, entry->second.not_taken);
  }
  write(revision, entry->second, "wake_failed", std::move(fields), now);
}

void Chronicle::left_to(const wire::RevisionKey& revision, const std::string& who, TimePoint now) {
  const auto entry = entries_.find(revision);
  if (entry == entries_.end()) return;
  entry->second.scaled_by = who;
  entry->second.not_taken.clear();  // nothing is sent any more
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

void Chronicle::refused_before(const wire::RevisionKey& revision, const SourceId& source,
                               const RefusalCounts& told) {
  const auto entry = entries_.find(revision);
  if (entry != entries_.end()) entry->second.refusals.told_before(source, told);
}

void Chronicle::lost(const wire::RevisionKey& revision, const SourceId& source, TimePoint now) {
  const auto entry = entries_.find(revision);
  if (entry != entries_.end()) entry->second.refusals.lost(source, now);
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

}  // namespace pilotlight::autoscaler
