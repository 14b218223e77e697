#include "activator/replica_set.h"

#include <algorithm>
#include <tuple>

#include "common/base/check.h"
#include "common/net/listener.h"

namespace pilotlight::activator {
namespace {

using namespace std::chrono_literals;

/// `first`, doubled for each finding in a row, at most `most`.
Duration doubled(Duration first, Duration most, std::uint32_t in_row) noexcept {
  const std::uint32_t steps = std::min<std::uint32_t>(in_row, 16);
  return std::min(most, first * (1u << steps));
}

Duration back_off(Finding finding, std::uint32_t in_row) noexcept {
  switch (finding) {
    case Finding::none: return Duration::zero();
    // A sidecar gives a permit back microseconds after the last byte of an answer, so the first
    // try again comes soon.
    case Finding::full: return doubled(1ms, 50ms, in_row);
    case Finding::refused:
    case Finding::not_ready: return doubled(20ms, 1s, in_row);
    case Finding::draining: return 1s;
  }
  return Duration::zero();
}

/// What a peer told, at most a day.
Duration microseconds(std::uint64_t us) noexcept {
  constexpr std::chrono::microseconds kDay = std::chrono::hours(24);
  return std::chrono::microseconds(std::min(us, static_cast<std::uint64_t>(kDay.count())));
}

bool open(const Replica& replica) noexcept {
  return replica.listed && !replica.closed && replica.state == wire::ReplicaState::ready;
}

/// A doubted one has one request at a time, until it has answered one.
bool full(const Replica& replica) noexcept {
  if (replica.doubted && replica.in_flight > 0) return true;
  return replica.capacity != 0 && replica.in_flight >= replica.capacity;
}

bool comes_before(const Replica& one, const Replica& other) noexcept {
  return std::tie(one.doubted, one.in_flight, one.chosen) <
         std::tie(other.doubted, other.in_flight, other.chosen);
}

/// Newer word has come: it may be tried again, though a failure still counts as one more in a row.
void unblock(Replica& replica) noexcept {
  replica.finding = Finding::none;
  replica.blocked_until = TimePoint();
}

}  // namespace

std::string_view name_of(Finding finding) noexcept {
  switch (finding) {
    case Finding::none: return "none";
    case Finding::refused: return "refused";
    case Finding::full: return "full";
    case Finding::draining: return "draining";
    case Finding::not_ready: return "not_ready";
  }
  return "none";
}

void ReplicaSet::apply(const wire::Endpoints& endpoints) {
  if (endpoints.server_epoch != server_epoch_) {
    server_epoch_ = endpoints.server_epoch;
    complete_ = false;
  } else if (endpoints.generation < generation_) {
    return;
  }
  generation_ = endpoints.generation;
  if (endpoints.ready_p50_us != 0) {  // a restarted one has yet to learn
    learned_.p50 = microseconds(endpoints.ready_p50_us);
    learned_.p95 = microseconds(endpoints.ready_p95_us);
  }
  complete_ = endpoints.complete;
  // What this server listed before and lists no more is gone. What only an earlier one listed is
  // gone once this one knows everything.
  std::vector<std::uint64_t> announced_before;
  announced_before.reserve(replicas_.size());
  for (const auto& replica : replicas_) {
    announced_before.push_back(replica->announced_epoch);
    replica->announced_epoch = 0;
  }
  for (const wire::Replica& told : endpoints.replicas) announce(told);
  for (std::size_t i = 0; i < announced_before.size(); ++i) {
    Replica& replica = *replicas_[i];
    if (replica.announced_epoch != 0) continue;
    const bool taken_back = announced_before[i] == server_epoch_;
    replica.announced_epoch = announced_before[i];
    if (taken_back && !complete_ && replica.in_slice) {
      replica.doubted = true;
      replica.announced_epoch = 0;  // from here on it is the slice's
    } else if (complete_ || taken_back) {
      replica.listed = false;
    }
  }
  merge_slices();
  drop_unlisted();
}

void ReplicaSet::announce(const wire::Replica& told) {
  const Result<asio::ip::tcp::endpoint> address = parse_endpoint(told.address);
  if (!address) return;  // no way to reach it; the others still count
  Replica* known = find_told(told, *address);
  if (known == nullptr) {
    known = &add(told.name, *address);
  } else {
    // Ready after a drain, or simply newer word: it may be chosen again.
    if (told.state == wire::ReplicaState::ready) known->closed = false;
    unblock(*known);
  }
  known->epoch = told.epoch;
  known->capacity = told.capacity;
  known->replica_class = told.replica_class;
  known->state = told.state;
  known->listed = true;
  known->doubted = false;
  known->announced_epoch = server_epoch_;
  // The same replica under another epoch has died since.
  for (const auto& other : replicas_) {
    if (other.get() != known && other->place->name == told.name) other->listed = false;
  }
}

void ReplicaSet::apply_slices(std::vector<SliceReplica> slices) {
  slices_ = std::move(slices);
  merge_slices();
  drop_unlisted();
}

void ReplicaSet::set_connected(bool connected) {
  connected_ = connected;
  merge_slices();
  drop_unlisted();
}

void ReplicaSet::merge_slices() {
  std::vector<asio::ip::tcp::endpoint> ready;
  for (const SliceReplica& slice : slices_) {
    if (slice.ready) ready.push_back(slice.address);
  }
  std::sort(ready.begin(), ready.end());
  std::vector<asio::ip::tcp::endpoint> known;
  for (const auto& replica : replicas_) {
    const bool in_slice = std::binary_search(ready.begin(), ready.end(), replica->place->address);
    // A replica that a slice has never listed may be too new for it; one that it has dropped is
    // not, unless the autoscaler has just said otherwise.
    const bool announced =
        connected_ && replica->announced_epoch != 0 && replica->announced_epoch == server_epoch_;
    if (replica->in_slice && !in_slice && !announced) replica->listed = false;
    replica->in_slice = in_slice;
    if (replica->listed) known.push_back(replica->place->address);
  }
  if (authoritative()) return;
  std::sort(known.begin(), known.end());
  for (const SliceReplica& slice : slices_) {
    if (!slice.ready || std::binary_search(known.begin(), known.end(), slice.address)) continue;
    add_from_slice(slice);
  }
}

/// One that went while requests of ours were in flight there comes back as what it was.
void ReplicaSet::add_from_slice(const SliceReplica& slice) {
  const auto former =
      std::find_if(replicas_.begin(), replicas_.end(), [&slice](const auto& replica) {
        return !replica->listed && replica->place->address == slice.address;
      });
  if (former != replicas_.end()) {
    (*former)->listed = true;
    return;
  }
  Replica& added = add(slice.name, slice.address);
  added.capacity = default_capacity_;
  added.in_slice = true;
}

Replica* ReplicaSet::close(std::string_view name, std::uint64_t epoch) {
  for (const auto& replica : replicas_) {
    if (replica->place->name != name || (replica->epoch != 0 && replica->epoch != epoch)) continue;
    replica->epoch = epoch;
    replica->closed = true;
    replica->drained_due = true;
    drains_due_ = true;
    return replica.get();
  }
  return nullptr;
}

Replica* ReplicaSet::choose(TimePoint now) {
  Replica* best = nullptr;
  for (const auto& candidate : replicas_) {
    Replica& replica = *candidate;
    if (!open(replica) || replica.blocked_until > now || full(replica)) continue;
    if (best == nullptr || comes_before(replica, *best)) best = &replica;
  }
  if (best == nullptr) return nullptr;
  best->chosen = ++choices_;
  ++best->in_flight;
  return best;
}

void ReplicaSet::release(Replica& replica, Finding finding, TimePoint now) {
  PILOTLIGHT_CHECK(replica.in_flight > 0);
  --replica.in_flight;
  if (finding != Finding::none) {
    replica.finding = finding;
    replica.blocked_until = now + back_off(finding, replica.findings_in_row);
    ++replica.findings_in_row;
  } else if (replica.finding == Finding::full) {
    replica.blocked_until = std::min(replica.blocked_until, now);
  }
  if (!replica.listed) drop_unlisted();
}

std::vector<ReplicaSet::Drained> ReplicaSet::take_drained() {
  std::vector<Drained> drained;
  if (!drains_due_) return drained;
  drains_due_ = false;
  for (const auto& replica : replicas_) {
    if (!replica->drained_due) continue;
    if (replica->in_flight > 0) {
      drains_due_ = true;
      continue;
    }
    replica->drained_due = false;
    drained.push_back({replica->place->name, replica->epoch});
  }
  drop_unlisted();
  return drained;
}

void ReplicaSet::succeeded(Replica& replica) noexcept {
  replica.findings_in_row = 0;
  replica.doubted = false;
  unblock(replica);
}

std::size_t ReplicaSet::usable() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(replicas_.begin(), replicas_.end(), [](const auto& replica) {
        return open(*replica) &&
               (replica->finding == Finding::none || replica->finding == Finding::full);
      }));
}

TimePoint ReplicaSet::next_change(TimePoint now) const noexcept {
  TimePoint next = TimePoint::max();
  for (const auto& replica : replicas_) {
    if (open(*replica) && replica->blocked_until > now) {
      next = std::min(next, replica->blocked_until);
    }
  }
  return next;
}

Replica* ReplicaSet::find_told(const wire::Replica& told,
                               const asio::ip::tcp::endpoint& address) noexcept {
  for (const auto& replica : replicas_) {
    if (replica->place->address != address) continue;
    const bool same = replica->epoch == told.epoch && replica->place->name == told.name;
    // A slice told of it before its sidecar did; slices know no epochs, and maybe no name.
    if (same || (replica->epoch == 0 && replica->listed)) return replica.get();
  }
  return nullptr;
}

Replica& ReplicaSet::add(std::string name, const asio::ip::tcp::endpoint& address) {
  auto place = std::make_shared<ReplicaPlace>();
  place->name = std::move(name);
  place->address = address;
  place->host = to_string(address);
  auto replica = std::make_unique<Replica>();
  replica->place = std::move(place);
  replicas_.push_back(std::move(replica));
  return *replicas_.back();
}

void ReplicaSet::drop_unlisted() {
  std::erase_if(replicas_, [](const auto& replica) {
    return !replica->listed && replica->in_flight == 0 && !replica->drained_due;
  });
}

}  // namespace pilotlight::activator
