#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/wire/server.h"

namespace pilotlight::autoscaler {

enum class ReplicaPhase { unready, ready, draining };

/// "unready", "ready", "draining": the word in `status`.
[[nodiscard]] std::string_view to_string(ReplicaPhase phase) noexcept;

/// One replica as its sidecar last described it.
struct ReplicaRecord {
  std::string name;
  std::string address;
  std::uint64_t epoch = 0;
  std::uint32_t capacity = 0;
  wire::ReplicaClass replica_class = wire::ReplicaClass::full;
  ReplicaPhase phase = ReplicaPhase::unready;
  std::uint64_t listen_us = 0;
  std::uint64_t ready_us = 0;
  std::uint64_t told_us = 0;
};

/// Hears of changes, for events and decisions. Called after the change.
class RegistryListener {
 public:
  virtual ~RegistryListener() = default;
  virtual void replica_ready(const wire::RevisionKey& revision, const ReplicaRecord& replica) = 0;
  virtual void replica_not_ready(const wire::RevisionKey& revision, const ReplicaRecord& replica,
                                 std::string_view reason) = 0;
};

/// Which replicas are ready, as their sidecars say over the wire, and what each activator is told
/// about it.
///
/// Every change goes out to every activator at once, as a whole set of the revision. A sidecar is
/// believed about its own epoch only; one whose connection breaks stays listed for 1 s, because a
/// reconnect takes less. Draining is a fence: every activator is sent DRAIN, and when each has
/// answered or is gone the sidecar is told DRAINED; but not where clients may come past the
/// activators: nobody can promise for them, and the sidecar waits until none comes. A set is
/// `complete` while every address that the revision's EndpointSlices call ready has a sidecar that
/// has said how it is: one that cannot reach us serves all the same, so activators must not forget
/// it for our ignorance (ADR 0013).
///
/// Peers are borrowed between joined() and left(). One shard; pure but for what it sends.
class Registry {
 public:
  Registry(std::uint64_t server_epoch, RegistryListener& listener);

  void joined(wire::Peer& peer);
  /// @return what joined() said of it stays true of a newer connection when `replaced`.
  void left(wire::Peer& peer, bool replaced, TimePoint now);

  void ready(wire::Peer& sidecar, const wire::Ready& frame);
  void not_ready(wire::Peer& sidecar, const wire::NotReady& frame);
  void drained(wire::Peer& activator, const wire::Drained& frame);
  /// Whether clients may come to its replicas past the activators.
  void set_direct(const wire::RevisionKey& revision, bool direct);
  /// Until paths_known(), clients may come past the activators to any replica.
  void expect_paths() noexcept { paths_known_ = false; }
  /// set_direct() has told of every Service that there is.
  void paths_known();

  /// There is a Deployment for it: activators are told of it even while it has no replica.
  /// Should EndpointSlices be unknown one window later, what sidecars have said is all there is.
  void track(const wire::RevisionKey& revision, Duration stable_window, TimePoint now);
  void untrack(const wire::RevisionKey& revision);

  /// The "ip:port" of every endpoint that the revision's EndpointSlices call ready.
  void set_slice_addresses(const wire::RevisionKey& revision, std::set<std::string> addresses);
  /// All EndpointSlices that exist have been told of.
  void slices_known();

  /// Lets go of sidecars that did not come back. Call it several times a second: it looks only at
  /// revisions where something is under way.
  void advance(TimePoint now);

  /// How long its wakes take, which the next sets say instead of how long its replicas do.
  void learn(const wire::RevisionKey& revision, std::uint64_t p50_us, std::uint64_t p95_us);
  /// Why the revision does not wake, for its activators to say to who waits; "": nothing keeps it.
  /// They are told at most 500 bytes of it.
  void set_cause(const wire::RevisionKey& revision, const std::string& cause);
  /// Has every activator keep it. One that joins later is for the caller.
  void put_checkpoint(const wire::Checkpoint& checkpoint);

  /// Sends the revision's set again to an activator that seems to have missed it.
  void repeat(const wire::RevisionKey& revision, wire::Peer& activator);

  [[nodiscard]] std::int32_t ready_count(const wire::RevisionKey& revision) const;
  /// Addresses that EndpointSlices call ready, and of whose sidecars nothing was heard.
  [[nodiscard]] std::int32_t unheard_count(const wire::RevisionKey& revision) const;
  /// Whether EndpointSlices call any of its addresses ready, heard of or not.
  [[nodiscard]] bool in_slices(const wire::RevisionKey& revision) const;
  [[nodiscard]] std::vector<ReplicaRecord> replicas(const wire::RevisionKey& revision) const;
  [[nodiscard]] std::size_t activators() const noexcept { return activators_.size(); }
  [[nodiscard]] bool has_sidecars(const wire::RevisionKey& revision) const;

  /// The peer has told all that it measured before this process began.
  void replayed(const wire::Peer& peer);
  [[nodiscard]] bool has_replayed(const wire::Peer& peer) const;
  /// Whether every ready replica's sidecar and every connected activator has, and one of those is
  /// connected. Replicas that their EndpointSlices call ready are waited for.
  [[nodiscard]] bool all_replayed(const wire::RevisionKey& revision) const;

 private:
  struct Entry {
    ReplicaRecord record;
    wire::Peer* peer = nullptr;
    std::optional<TimePoint> gone_since;
    bool spoken = false;  // it has said READY or NOT_READY
    bool replayed = false;
    std::set<wire::Peer*> fence;  // activators that have not answered DRAIN
  };
  struct Group {
    std::map<std::string, Entry> entries;  // by replica name
    std::set<std::string> slice_addresses;
    std::int32_t unheard = 0;                  // of those
    std::deque<std::uint64_t> ready_times_us;  // the last 32
    std::uint64_t wake_p50_us = 0;             // 0: none was seen
    std::uint64_t wake_p95_us = 0;
    std::string cause;
    bool tracked = false;
    bool direct = false;  // clients may come past the activators
    bool complete = false;
    TimePoint complete_at = TimePoint::max();  // at the latest, if no slices are known by then
  };

  [[nodiscard]] Entry* entry_of(const wire::Peer& sidecar, std::uint64_t epoch);
  [[nodiscard]] const Group* group_of(const wire::RevisionKey& revision) const;
  [[nodiscard]] wire::Endpoints endpoints_of(const wire::RevisionKey& key, const Group& group);
  void push(const wire::RevisionKey& key);
  [[nodiscard]] static std::int32_t count_unheard(const Group& group);
  bool settle_complete(const wire::RevisionKey& key, Group& group, bool overdue = false);
  [[nodiscard]] bool settle(const wire::RevisionKey& key, TimePoint now);
  void send_drain(const wire::RevisionKey& key, Entry& entry, wire::Peer& activator);
  void finish_fence(const wire::RevisionKey& key, Entry& entry);
  void sidecar_left(wire::Peer& peer, TimePoint now);
  void activator_left(wire::Peer& peer);

  std::uint64_t server_epoch_;
  RegistryListener& listener_;
  std::map<wire::RevisionKey, Group> groups_;
  std::set<wire::RevisionKey> unsettled_;   // of groups_: where advance() may have something to do
  std::map<wire::Peer*, bool> activators_;  // whether it has replayed
  std::uint64_t generation_ = 0;
  bool slices_known_ = false;
  bool paths_known_ = true;
};

}  // namespace pilotlight::autoscaler
