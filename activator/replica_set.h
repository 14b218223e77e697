#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

#include "common/base/clock.h"
#include "common/wire/frames.h"

namespace pilotlight::activator {

/// What this activator itself found out about a replica, between two words of the autoscaler.
enum class Finding : std::uint8_t {
  none,
  refused,    ///< No connection, or one that died: before a byte was acknowledged, or with the
              ///< request.
  full,       ///< Its sidecar bounced: no permit free.
  draining,   ///< Its sidecar bounced: it is going away.
  not_ready,  ///< Its sidecar bounced: the app does not answer its probe.
};

[[nodiscard]] std::string_view name_of(Finding finding) noexcept;

/// Who a replica is and where: what a request needs of it. Never changes, so shards share it.
struct ReplicaPlace {
  std::string name;
  asio::ip::tcp::endpoint address;
  std::string host;  ///< The address as a Host field.
};
using ReplicaPlacePtr = std::shared_ptr<const ReplicaPlace>;

struct Replica {
  ReplicaPlacePtr place;
  std::uint64_t epoch = 0;     ///< Its sidecar's; 0 while only an EndpointSlice has told of it.
  std::uint32_t capacity = 0;  ///< Requests at once; 0 is unlimited.
  wire::ReplicaClass replica_class = wire::ReplicaClass::full;
  wire::ReplicaState state = wire::ReplicaState::ready;
  bool listed = true;           ///< False: gone, and kept only for what is still in flight there.
  bool closed = false;          ///< DRAIN: nothing new goes there.
  bool drained_due = false;     ///< DRAINED has not been said yet.
  std::uint32_t in_flight = 0;  ///< Requests of this activator there.
  Finding finding = Finding::none;
  std::uint32_t findings_in_row = 0;  ///< Doubles the back-off.
  TimePoint blocked_until{};          ///< Not chosen before.

  std::uint64_t announced_epoch = 0;  ///< The server epoch that last listed it.
  bool in_slice = false;              ///< An EndpointSlice listed it as ready.
  bool doubted = false;               ///< Only that: the autoscaler lists it no more.
  std::uint64_t chosen = 0;           ///< When it was last chosen, in choices.
};

/// One endpoint of an EndpointSlice.
struct SliceReplica {
  std::string name;  ///< The Pod's; "" when the slice does not say.
  asio::ip::tcp::endpoint address;
  bool ready = false;
};

/// The replicas of one revision: what the autoscaler says, what EndpointSlices say while it is away
/// or does not know everything yet, and what this activator found out itself.
///
/// Under a new server epoch a set only adds, until one is complete: a restarted autoscaler that has
/// heard of one sidecar so far must not make the others vanish. One that a set takes back while it
/// is not complete stays, if an EndpointSlice calls it ready, for when no other has room. A local
/// finding takes a replica out of the choice for a back-off, or until newer word of it comes. Pure:
/// time is passed in. Linear in the number of replicas, n log n where slices count. Belongs to its
/// Dispatcher's shard.
class ReplicaSet {
 public:
  /// `capacity`: of a replica that nobody has told the capacity of; 0 is unlimited.
  explicit ReplicaSet(std::uint32_t capacity) : default_capacity_(capacity) {}
  ReplicaSet(const ReplicaSet&) = delete;
  ReplicaSet& operator=(const ReplicaSet&) = delete;

  void set_default_capacity(std::uint32_t capacity) noexcept { default_capacity_ = capacity; }

  /// What the autoscaler says. An older generation of the same server epoch is ignored.
  void apply(const wire::Endpoints& endpoints);
  /// All endpoints of the revision's EndpointSlices.
  void apply_slices(std::vector<SliceReplica> slices);
  /// Whether the autoscaler can be heard at present.
  void set_connected(bool connected);

  /// DRAIN: nothing more goes there. @return the replica if it is known under that epoch; else
  /// nothing of ours can be there.
  Replica* close(std::string_view name, std::uint64_t epoch);

  /// The replica with the fewest requests of ours among those that may take one more now; of
  /// several, the one not chosen for longest. Doubted ones come last, and get one request at a time
  /// until one is answered. Null if there is none. Counts the request as in flight there: release()
  /// it.
  [[nodiscard]] Replica* choose(TimePoint now);
  /// The request is no longer there. `replica` may be gone after the call.
  ///
  /// A finding keeps the replica out of the choice: full 1 ms doubling to 50, refused or not ready
  /// 20 ms doubling to 1 s, draining 1 s. Without one, a place is free there, which ends `full`.
  void release(Replica& replica, Finding finding, TimePoint now);
  /// It has answered a request: whatever was found before no longer holds.
  static void succeeded(Replica& replica) noexcept;

  /// A replica that DRAIN closed.
  struct Drained {
    std::string name;
    std::uint64_t epoch = 0;
  };
  /// Those with nothing of ours in flight any more; each is told once.
  [[nodiscard]] std::vector<Drained> take_drained();

  /// Replicas that are there to take requests, now or when one of theirs ends.
  [[nodiscard]] std::size_t usable() const noexcept;
  /// The first end of a back-off after `now`; max() if there is none.
  [[nodiscard]] TimePoint next_change(TimePoint now) const noexcept;

  [[nodiscard]] const std::vector<std::unique_ptr<Replica>>& all() const noexcept {
    return replicas_;
  }
  /// How long replicas of this revision take from a wake until they are ready, as the autoscaler
  /// has learned it; zero while it has not.
  struct Learned {
    Duration p50{};
    Duration p95{};
  };
  [[nodiscard]] const Learned& learned() const noexcept { return learned_; }

  /// The autoscaler has said everything it knows, and is there to say what changes.
  [[nodiscard]] bool authoritative() const noexcept { return connected_ && complete_; }

 private:
  void announce(const wire::Replica& told);
  void merge_slices();
  void add_from_slice(const SliceReplica& slice);
  void drop_unlisted();
  [[nodiscard]] Replica* find_told(const wire::Replica& told,
                                   const asio::ip::tcp::endpoint& address) noexcept;
  [[nodiscard]] Replica& add(std::string name, const asio::ip::tcp::endpoint& address);

  std::vector<std::unique_ptr<Replica>> replicas_;
  std::vector<SliceReplica> slices_;
  Learned learned_;
  std::uint32_t default_capacity_;
  std::uint64_t server_epoch_ = 0;
  std::uint64_t generation_ = 0;
  bool complete_ = false;
  bool connected_ = false;
  bool drains_due_ = false;
  std::uint64_t choices_ = 0;
};

}  // namespace pilotlight::activator
