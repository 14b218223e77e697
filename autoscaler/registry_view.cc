// Registry's other half: what can be asked of it.

#include <algorithm>

#include "autoscaler/registry.h"

namespace pilotlight::autoscaler {
namespace {

std::uint64_t percentile(std::deque<std::uint64_t> values, std::size_t percent) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[(values.size() - 1) * percent / 100];
}

}  // namespace

wire::Endpoints Registry::endpoints_of(const wire::RevisionKey& key, const Group& group) {
  wire::Endpoints out;
  out.revision = key;
  out.server_epoch = server_epoch_;
  out.generation = ++generation_;
  out.complete = group.complete;
  out.ready_p50_us = group.wake_p50_us;
  out.ready_p95_us = group.wake_p95_us;
  if (group.wake_p50_us == 0) {
    out.ready_p50_us = percentile(group.ready_times_us, 50);
    out.ready_p95_us = percentile(group.ready_times_us, 95);
  }
  out.cause = group.cause;
  for (const auto& [name, entry] : group.entries) {
    if (entry.record.phase == ReplicaPhase::unready) continue;
    wire::Replica& replica = out.replicas.emplace_back();
    replica.name = name;
    replica.address = entry.record.address;
    replica.epoch = entry.record.epoch;
    replica.capacity = entry.record.capacity;
    replica.replica_class = entry.record.replica_class;
    replica.state = entry.record.phase == ReplicaPhase::ready ? wire::ReplicaState::ready
                                                              : wire::ReplicaState::draining;
  }
  return out;
}

const Registry::Group* Registry::group_of(const wire::RevisionKey& key) const {
  const auto group = groups_.find(key);
  return group == groups_.end() ? nullptr : &group->second;
}

std::int32_t Registry::ready_count(const wire::RevisionKey& key) const {
  const Group* group = group_of(key);
  if (group == nullptr) return 0;
  return static_cast<std::int32_t>(std::count_if(
      group->entries.begin(), group->entries.end(),
      [](const auto& item) { return item.second.record.phase == ReplicaPhase::ready; }));
}

bool Registry::in_slices(const wire::RevisionKey& key) const {
  const Group* group = group_of(key);
  return group != nullptr && !group->slice_addresses.empty();
}

std::int32_t Registry::unheard_count(const wire::RevisionKey& key) const {
  const Group* group = group_of(key);
  return group == nullptr ? 0 : group->unheard;
}

std::int32_t Registry::count_unheard(const Group& group) {
  if (group.slice_addresses.empty()) return 0;
  std::vector<const std::string*> heard;
  for (const auto& [name, entry] : group.entries) {
    const auto place = group.slice_addresses.find(entry.record.address);
    if (entry.spoken && place != group.slice_addresses.end()) heard.push_back(&*place);
  }
  std::sort(heard.begin(), heard.end());
  const auto distinct = std::unique(heard.begin(), heard.end()) - heard.begin();
  return static_cast<std::int32_t>(std::ssize(group.slice_addresses) - distinct);
}

std::vector<ReplicaRecord> Registry::replicas(const wire::RevisionKey& key) const {
  std::vector<ReplicaRecord> out;
  const Group* group = group_of(key);
  if (group == nullptr) return out;
  for (const auto& [name, entry] : group->entries) out.push_back(entry.record);
  return out;
}

bool Registry::has_sidecars(const wire::RevisionKey& key) const {
  const Group* group = group_of(key);
  return group != nullptr &&
         std::any_of(group->entries.begin(), group->entries.end(),
                     [](const auto& item) { return item.second.peer != nullptr; });
}

void Registry::replayed(const wire::Peer& peer) {
  const auto activator = std::find_if(activators_.begin(), activators_.end(),
                                      [&peer](const auto& item) { return item.first == &peer; });
  if (activator != activators_.end()) activator->second = true;
  if (Entry* entry = entry_of(peer, peer.hello().epoch)) entry->replayed = true;
}

bool Registry::has_replayed(const wire::Peer& peer) const {
  const auto activator = std::find_if(activators_.begin(), activators_.end(),
                                      [&peer](const auto& item) { return item.first == &peer; });
  if (activator != activators_.end()) return activator->second;
  const Group* group = group_of(peer.hello().revision);
  if (group == nullptr) return false;
  const auto entry = group->entries.find(peer.hello().replica);
  return entry != group->entries.end() && entry->second.peer == &peer && entry->second.replayed;
}

bool Registry::all_replayed(const wire::RevisionKey& key) const {
  const Group* group = group_of(key);
  if (group == nullptr || !group->complete || activators_.empty()) return false;
  const auto has = [](const auto& item) { return item.second; };
  if (!std::all_of(activators_.begin(), activators_.end(), has)) return false;
  return std::all_of(group->entries.begin(), group->entries.end(), [](const auto& item) {
    return item.second.record.phase != ReplicaPhase::ready || item.second.replayed;
  });
}

}  // namespace pilotlight::autoscaler
