#include "autoscaler/registry.h"

#include <algorithm>
#include <utility>

#include "common/base/log.h"
#include "common/wire/utf8.h"

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

constexpr Duration kReturnTime = 1s;  // for a sidecar whose connection broke
constexpr std::size_t kReadyTimes = 32;
constexpr std::size_t kCauseMax = 500;

std::string_view text_of(wire::NotReadyReason reason) noexcept {
  switch (reason) {
    case wire::NotReadyReason::starting: return "starting";
    case wire::NotReadyReason::probe_failed: return "probe failed";
    case wire::NotReadyReason::app_gone: return "app gone";
    case wire::NotReadyReason::draining: return "draining";
  }
  return "not ready";
}

}  // namespace

std::string_view to_string(ReplicaPhase phase) noexcept {
  switch (phase) {
    case ReplicaPhase::unready: return "unready";
    case ReplicaPhase::ready: return "ready";
    case ReplicaPhase::draining: return "draining";
  }
  return "unknown";
}

Registry::Registry(std::uint64_t server_epoch, RegistryListener& listener)
    : server_epoch_(server_epoch), listener_(listener) {}

void Registry::joined(wire::Peer& peer) {
  const wire::Hello& hello = peer.hello();
  if (hello.role == wire::Role::activator) {
    activators_.emplace(&peer, false);
    for (auto& [key, group] : groups_) {
      peer.put_endpoints(endpoints_of(key, group));
      for (auto& [name, entry] : group.entries) {
        if (entry.record.phase == ReplicaPhase::draining) send_drain(key, entry, peer);
      }
    }
    return;
  }
  Group& group = groups_[hello.revision];
  const auto [place, added] = group.entries.try_emplace(hello.replica);
  Entry& entry = place->second;
  const bool restarted = !added && entry.record.epoch != hello.epoch;
  if (restarted) {
    const ReplicaRecord former = std::exchange(entry, Entry()).record;
    if (former.phase == ReplicaPhase::ready) {
      listener_.replica_not_ready(hello.revision, former, "restarted");
    }
  }
  entry.peer = &peer;
  entry.gone_since.reset();
  entry.record.name = hello.replica;
  entry.record.address = hello.address;
  entry.record.epoch = hello.epoch;
  const bool settled = settle_complete(hello.revision, group);
  if (restarted || settled) push(hello.revision);
}

void Registry::left(wire::Peer& peer, bool replaced, TimePoint now) {
  if (peer.hello().role == wire::Role::activator) return activator_left(peer);
  if (!replaced) sidecar_left(peer, now);
}

void Registry::activator_left(wire::Peer& peer) {
  activators_.erase(&peer);
  for (auto& [key, group] : groups_) {
    for (auto& [name, entry] : group.entries) {
      if (entry.fence.erase(&peer) != 0 && entry.fence.empty()) finish_fence(key, entry);
    }
  }
}

void Registry::sidecar_left(wire::Peer& peer, TimePoint now) {
  const auto group = groups_.find(peer.hello().revision);
  if (group == groups_.end()) return;
  const auto place = group->second.entries.find(peer.hello().replica);
  if (place == group->second.entries.end() || place->second.peer != &peer) return;
  place->second.peer = nullptr;
  unsettled_.insert(group->first);
  if (place->second.record.phase == ReplicaPhase::ready) {
    place->second.gone_since = now;
    return;
  }
  const bool listed = place->second.record.phase == ReplicaPhase::draining;
  group->second.entries.erase(place);
  const bool settled = settle_complete(group->first, group->second);
  if (listed || settled) push(group->first);
}

void Registry::advance(TimePoint now) {
  for (auto next = unsettled_.begin(); next != unsettled_.end();) {
    next = settle(*next, now) ? unsettled_.erase(next) : std::next(next);
  }
}

/// @return whether there is nothing more to do for the revision until something changes.
bool Registry::settle(const wire::RevisionKey& key, TimePoint now) {
  const auto place = groups_.find(key);
  if (place == groups_.end()) return true;
  Group& group = place->second;
  std::vector<ReplicaRecord> gone;
  bool going = false;
  for (auto entry = group.entries.begin(); entry != group.entries.end();) {
    if (entry->second.gone_since && now - *entry->second.gone_since >= kReturnTime) {
      gone.push_back(std::move(entry->second.record));
      entry = group.entries.erase(entry);
    } else {
      going = going || entry->second.gone_since.has_value();
      ++entry;
    }
  }
  const bool changed = settle_complete(key, group, now >= group.complete_at);
  if (!gone.empty() || changed) push(key);
  for (const ReplicaRecord& record : gone) {
    listener_.replica_not_ready(key, record, "connection lost");
  }
  if (!group.tracked && group.entries.empty() && group.slice_addresses.empty()) {
    groups_.erase(place);
    return true;
  }
  return (group.complete || slices_known_) && !going;
}

/// What a sidecar says counts for the replica and epoch that its HELLO named.
Registry::Entry* Registry::entry_of(const wire::Peer& sidecar, std::uint64_t epoch) {
  const auto group = groups_.find(sidecar.hello().revision);
  if (group == groups_.end()) return nullptr;
  const auto place = group->second.entries.find(sidecar.hello().replica);
  if (place == group->second.entries.end()) return nullptr;
  if (place->second.record.epoch != epoch || place->second.peer != &sidecar) return nullptr;
  return &place->second;
}

void Registry::ready(wire::Peer& sidecar, const wire::Ready& frame) {
  Entry* entry = entry_of(sidecar, frame.epoch);
  if (entry == nullptr) return;
  const wire::RevisionKey& key = sidecar.hello().revision;
  const bool was_ready = entry->record.phase == ReplicaPhase::ready;
  entry->spoken = true;
  entry->record.phase = ReplicaPhase::ready;
  entry->record.capacity = frame.capacity;
  entry->record.replica_class = frame.replica_class;
  entry->record.listen_us = frame.listen_us;
  entry->record.ready_us = frame.ready_us;
  entry->record.told_us = frame.told_us;
  entry->fence.clear();
  Group& group = groups_[key];
  if (!was_ready) {
    group.ready_times_us.push_back(frame.ready_us);
    if (group.ready_times_us.size() > kReadyTimes) group.ready_times_us.pop_front();
  }
  settle_complete(key, group);
  push(key);
  if (!was_ready) listener_.replica_ready(key, ReplicaRecord(entry->record));
}

void Registry::not_ready(wire::Peer& sidecar, const wire::NotReady& frame) {
  Entry* entry = entry_of(sidecar, frame.epoch);
  if (entry == nullptr) return;
  const wire::RevisionKey& key = sidecar.hello().revision;
  const ReplicaPhase before = entry->record.phase;
  entry->spoken = true;
  const bool settled = settle_complete(key, groups_[key]);
  if (frame.reason != wire::NotReadyReason::draining) {
    entry->record.phase = ReplicaPhase::unready;
    entry->fence.clear();
    if (before != ReplicaPhase::unready || settled) push(key);
  } else if (before != ReplicaPhase::draining) {
    entry->record.phase = ReplicaPhase::draining;
    push(key);
    for (const auto& [activator, replayed] : activators_) send_drain(key, *entry, *activator);
    if (entry->fence.empty()) finish_fence(key, *entry);
  } else if (entry->fence.empty()) {
    finish_fence(key, *entry);  // asked again after a reconnect
  }
  if (before != ReplicaPhase::ready) return;
  const std::string reason = frame.text.empty() ? std::string(text_of(frame.reason)) : frame.text;
  listener_.replica_not_ready(key, ReplicaRecord(entry->record), reason);
}

void Registry::send_drain(const wire::RevisionKey& key, Entry& entry, wire::Peer& activator) {
  wire::Drain drain;
  drain.revision = key;
  drain.replica = entry.record.name;
  drain.epoch = entry.record.epoch;
  entry.fence.insert(&activator);
  activator.send(drain);
}

void Registry::drained(wire::Peer& activator, const wire::Drained& frame) {
  const auto group = groups_.find(frame.revision);
  if (group == groups_.end()) return;
  const auto place = group->second.entries.find(frame.replica);
  if (place == group->second.entries.end()) return;
  Entry& entry = place->second;
  if (entry.record.epoch != frame.epoch || entry.fence.erase(&activator) == 0) return;
  if (entry.fence.empty()) finish_fence(group->first, entry);
}

void Registry::finish_fence(const wire::RevisionKey& key, Entry& entry) {
  if (entry.peer == nullptr || entry.record.phase != ReplicaPhase::draining) return;
  if (!paths_known_ || groups_.at(key).direct) return;
  wire::Drained drained;
  drained.revision = key;
  drained.replica = entry.record.name;
  drained.epoch = entry.record.epoch;
  entry.peer->send(drained);
}

void Registry::set_direct(const wire::RevisionKey& key, bool direct) {
  const auto group = groups_.find(key);
  if (group != groups_.end()) group->second.direct = direct;
}

void Registry::paths_known() {
  if (std::exchange(paths_known_, true)) return;
  for (auto& [key, group] : groups_) {
    for (auto& [name, entry] : group.entries) {
      if (entry.fence.empty()) finish_fence(key, entry);
    }
  }
}

void Registry::track(const wire::RevisionKey& key, Duration stable_window, TimePoint now) {
  Group& group = groups_[key];
  if (group.tracked) return;
  group.tracked = true;
  group.complete_at = now + stable_window;
  settle_complete(key, group);
  push(key);
}

void Registry::untrack(const wire::RevisionKey& key) {
  const auto group = groups_.find(key);
  if (group == groups_.end()) return;
  group->second.tracked = false;
  group->second.complete = true;  // no Deployment: what is left is all there is
  group->second.cause.clear();
  unsettled_.insert(key);
  push(key);
}

void Registry::set_slice_addresses(const wire::RevisionKey& key, std::set<std::string> addresses) {
  Group& group = groups_[key];
  group.slice_addresses = std::move(addresses);
  unsettled_.insert(key);
  if (settle_complete(key, group)) push(key);
}

void Registry::slices_known() {
  slices_known_ = true;  // from here on only news changes what is complete
  for (auto& [key, group] : groups_) {
    if (settle_complete(key, group)) push(key);
  }
}

/// @return whether the revision's set has become complete, or is so no longer.
bool Registry::settle_complete(const wire::RevisionKey& key, Group& group, bool overdue) {
  group.unheard = count_unheard(group);
  if (!group.tracked) return false;
  const bool all_known = slices_known_ || group.complete || overdue;
  const bool complete = all_known && group.unheard == 0;
  if (!complete) unsettled_.insert(key);
  return std::exchange(group.complete, complete) != complete;
}

void Registry::push(const wire::RevisionKey& key) {
  const wire::Endpoints endpoints = endpoints_of(key, groups_[key]);
  for (const auto& [activator, replayed] : activators_) activator->put_endpoints(endpoints);
}

void Registry::put_checkpoint(const wire::Checkpoint& checkpoint) {
  for (const auto& [activator, replayed] : activators_) activator->put_checkpoint(checkpoint);
}

void Registry::learn(const wire::RevisionKey& key, std::uint64_t p50_us, std::uint64_t p95_us) {
  const auto group = groups_.find(key);
  if (group == groups_.end()) return;
  group->second.wake_p50_us = p50_us;
  group->second.wake_p95_us = p95_us;
}

void Registry::set_cause(const wire::RevisionKey& key, const std::string& cause) {
  const auto group = groups_.find(key);
  if (group == groups_.end()) return;
  const std::string_view told = wire::utf8_prefix(cause, kCauseMax);
  if (group->second.cause == told) return;
  group->second.cause = told;
  push(key);
}

void Registry::repeat(const wire::RevisionKey& key, wire::Peer& activator) {
  const auto group = groups_.find(key);
  if (group != groups_.end()) activator.put_endpoints(endpoints_of(key, group->second));
}

}  // namespace pilotlight::autoscaler
