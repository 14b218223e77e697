#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "common/stats/concurrency_meter.h"

/// The messages between sidecars, activators and the autoscaler, as plain structs. One frame each;
/// docs/wire-protocol.md has their byte layout and the rules of who may send what when.
///
/// Units: `_us` microseconds, `_ms` milliseconds. `at_us` is the sender's monotonic clock: instants
/// of one sender compare with each other, and on one machine with everybody's.
namespace pilotlight::wire {

inline constexpr std::uint16_t kVersion = 1;  ///< The one version that this code speaks.
inline constexpr std::size_t kMaxPayload = 64 * 1024;

enum class FrameType : std::uint8_t {
  hello = 1,
  welcome = 2,
  stats = 3,
  history = 4,
  history_end = 5,
  poke = 6,
  ready = 7,
  not_ready = 8,
  endpoints = 9,
  drain = 10,
  drained = 11,
  lease = 12,         ///< Reserved.
  lease_return = 13,  ///< Reserved.
  ping = 14,
  pong = 15,
  goaway = 16,
  error = 17,
  checkpoint = 18,
  woken = 19,
};

/// Bits of HELLO and WELCOME.
enum Capability : std::uint64_t {
  /// HELLO: the sender replays its HISTORY when it is asked to. WELCOME: it is asked to.
  kReplay = 1,
};

enum class Role : std::uint8_t { sidecar = 1, activator = 2 };

/// One immutable version of a service.
struct RevisionKey {
  std::string name_space;
  std::string revision;

  friend auto operator<=>(const RevisionKey&, const RevisionKey&) = default;
};

/// First frame of a connection, from whoever connects.
struct Hello {
  std::uint16_t version_min = kVersion;
  std::uint16_t version_max = kVersion;
  std::uint64_t capabilities = 0;  ///< Bits of Capability.
  Role role = Role::sidecar;
  RevisionKey revision;     ///< A sidecar's own; both parts empty for an activator.
  std::string replica;      ///< Sidecar: Pod name. Activator: a name unique among activators.
  std::string address;      ///< "ip:port" where a sidecar takes requests; may be empty for others.
  std::uint64_t epoch = 0;  ///< new_epoch() of this process start.
  std::string token;

  friend bool operator==(const Hello&, const Hello&) = default;
};

struct Welcome {
  std::uint16_t version = kVersion;
  std::uint64_t capabilities = 0;      ///< Bits of Capability.
  std::uint32_t report_period_ms = 0;  ///< How often to send STATS, for each revision.
  std::uint64_t server_epoch = 0;

  friend bool operator==(const Welcome&, const Welcome&) = default;
};

/// The load of one revision at one sender: cumulative counters since the sender's epoch, and
/// gauges. Newest wins. make_stats() (common/wire/report.h) fills one from a meter.
struct Stats {
  RevisionKey revision;
  std::uint64_t epoch = 0;           ///< The sender's.
  std::uint32_t queued = 0;          ///< The part of load.in_flight that waits (queued, parked).
  std::uint64_t oldest_wait_us = 0;  ///< Of those; 0 when none waits.
  std::uint32_t limit = 0;           ///< Permits of a sidecar; 0 is unlimited, or not applicable.
  LoadSnapshot load;

  friend bool operator==(const Stats&, const Stats&) = default;
};

/// A second of one sender's load: common/stats/load_history.h.
struct HistoryBucket {
  std::uint16_t age = 0;  ///< Seconds before the one in which the frame's `until` was taken.
  std::uint64_t concurrency_us = 0;
  std::uint64_t proxied_concurrency_us = 0;
  std::uint64_t arrivals_u = 0;  ///< Millionths.
  std::uint64_t proxied_arrivals_u = 0;
  std::uint64_t longest_wait_us = 0;

  friend bool operator==(const HistoryBucket&, const HistoryBucket&) = default;
};

/// What one sender has measured of a revision before it met this server. A bucket is known by the
/// sender's epoch and its second, and replaces one that came before: nothing adds up. Seconds
/// without load are left out. make_history() (common/wire/report.h) cuts it into frames.
struct History {
  static constexpr std::uint16_t kOldest = 600;

  Stats until;  ///< Where the buckets end, and from where on STATS count; refusals from what was
                ///< told.
  std::vector<HistoryBucket> buckets;

  friend bool operator==(const History&, const History&) = default;
};

/// All that this sender has, of every revision, has been said.
struct HistoryEnd {
  std::uint64_t epoch = 0;  ///< The sender's.

  friend bool operator==(const HistoryEnd&, const HistoryEnd&) = default;
};

/// What the decider remembers of a revision beside its windows. The autoscaler gives it to every
/// activator whenever it changes; they keep it, and give it back with their HISTORY to a server
/// that is new to them. Instants travel as ages: how long before `at_us` they were.
struct Checkpoint {
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};  ///< The age of what has not been.

  /// The most replicas wanted in an earlier decision, of scale-down-delay.
  struct Wanted {
    std::uint32_t slots_ago = 0;  ///< Slots of 2 s before the one that `at_us` is in.
    std::uint32_t replicas = 0;

    friend bool operator==(const Wanted&, const Wanted&) = default;
  };

  RevisionKey revision;
  std::uint64_t server_epoch = 0;  ///< Of the server that took it.
  std::uint64_t at_us = 0;         ///< By that server's clock.
  std::uint64_t held_us = 0;       ///< How long the activator has had it; 0 from the server.
  std::uint64_t panic_us = kNever;
  std::uint32_t max_panic = 0;
  bool initial_reached = false;
  std::uint64_t initial_ready_us = kNever;
  std::uint64_t activating_us = kNever;
  std::uint64_t active_us = kNever;
  std::uint64_t idle_us = kNever;
  std::uint64_t proxied_us = kNever;
  std::vector<Wanted> delayed;

  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

/// "Somebody waits and nothing runs": sent when an activator's parked requests of a revision go
/// from none to some with no replica ready, and again in connected() while that is still so.
struct Poke {
  RevisionKey revision;
  std::uint32_t parked = 0;
  std::uint64_t oldest_wait_us = 0;

  friend bool operator==(const Poke&, const Poke&) = default;
};

enum class ReplicaClass : std::uint8_t { full = 0, reserve = 1, warm = 2 };

/// The sidecar's app answers its readiness probe. Sent when that becomes true, and again in
/// connected() while it is.
struct Ready {
  std::uint64_t epoch = 0;
  std::uint32_t capacity = 0;  ///< Requests at once; 0 is unlimited.
  ReplicaClass replica_class = ReplicaClass::full;
  std::uint64_t listen_us = 0;  ///< From the sidecar's start until the app's port accepted.
  std::uint64_t ready_us = 0;   ///< From the sidecar's start until the probe succeeded.
  std::uint64_t told_us = 0;    ///< From then until this was sent. Absent when it is 0.

  friend bool operator==(const Ready&, const Ready&) = default;
};

/// Values beyond these may arrive from newer senders and mean "some other reason".
enum class NotReadyReason : std::uint8_t {
  starting = 0,
  probe_failed = 1,
  app_gone = 2,
  draining = 3
};

/// No new request may go there. `draining` starts the fence: answered by DRAINED once no activator
/// will send anything more. Sent again in connected() while a drain is unanswered.
struct NotReady {
  std::uint64_t epoch = 0;
  NotReadyReason reason = NotReadyReason::starting;
  std::string text;

  friend bool operator==(const NotReady&, const NotReady&) = default;
};

enum class ReplicaState : std::uint8_t { ready = 0, draining = 1 };

struct Replica {
  std::string name;
  std::string address;         ///< "ip:port"
  std::uint64_t epoch = 0;     ///< Of its sidecar.
  std::uint32_t capacity = 0;  ///< Requests at once; 0 is unlimited.
  ReplicaClass replica_class = ReplicaClass::full;
  ReplicaState state = ReplicaState::ready;

  friend bool operator==(const Replica&, const Replica&) = default;
};

/// The replicas of one revision. Newest wins by (server_epoch, generation). Under a server epoch
/// that is new to the receiver a set only adds to what it knows, until one says `complete`; one
/// that no longer says so may lack replicas that serve (ADR 0013).
struct Endpoints {
  RevisionKey revision;
  std::uint64_t server_epoch = 0;
  std::uint64_t generation = 0;
  bool complete = false;
  std::uint64_t ready_p50_us = 0;  ///< Learned time from a wake to ready; 0 is unknown.
  std::uint64_t ready_p95_us = 0;
  std::vector<Replica> replicas;
  std::string cause;  ///< Why it does not wake, for people; "" when nothing keeps it from that.

  friend bool operator==(const Endpoints&, const Endpoints&) = default;
};

/// Autoscaler → activators: send nothing more to this replica; say DRAINED when nothing of yours is
/// in flight there.
struct Drain {
  RevisionKey revision;
  std::string replica;
  std::uint64_t epoch = 0;  ///< The replica's.

  friend bool operator==(const Drain&, const Drain&) = default;
};

/// The answer to DRAIN; and autoscaler → sidecar: every activator has answered or is gone.
struct Drained {
  RevisionKey revision;
  std::string replica;
  std::uint64_t epoch = 0;

  friend bool operator==(const Drained&, const Drained&) = default;
};

/// How a wake went, as its requests saw it: activator → autoscaler, with its first answer, or with
/// the first request that gave up waiting for one.
struct Woken {
  RevisionKey revision;
  bool answered = false;
  RefusalCause cause = RefusalCause::deadline;  ///< Why not; means nothing when answered.
  std::uint64_t waited_us = 0;                  ///< From the first parked request until then.

  friend bool operator==(const Woken&, const Woken&) = default;
};

struct Ping {
  std::uint64_t id = 0;
  friend bool operator==(const Ping&, const Ping&) = default;
};

struct Pong {
  std::uint64_t id = 0;
  friend bool operator==(const Pong&, const Pong&) = default;
};

/// Connect elsewhere (`leader`, "ip:port"), or later when that is empty.
struct Goaway {
  std::string leader;
  std::string text;
  friend bool operator==(const Goaway&, const Goaway&) = default;
};

/// Values beyond these may arrive from newer peers.
enum class ErrorCause : std::uint16_t {
  bad_frame = 1,     ///< Does not decode.
  unauthorized = 2,  ///< Wrong token.
  version = 3,       ///< No common version.
  protocol = 4,      ///< A frame at the wrong time, or from the wrong role.
  replaced = 5,      ///< A newer connection of the same process took over.
  too_slow = 6,      ///< The peer does not read.
  silent = 7,        ///< Nothing was heard for too long.
  try_again = 8,     ///< Not now: whether the peer may speak could not be found out.
};

/// Last frame before its sender closes.
struct Error {
  ErrorCause code = ErrorCause::bad_frame;
  std::string text;
  friend bool operator==(const Error&, const Error&) = default;
};

using Frame = std::variant<Hello, Welcome, Stats, History, HistoryEnd, Poke, Ready, NotReady,
                           Endpoints, Drain, Drained, Ping, Pong, Goaway, Error, Checkpoint, Woken>;

[[nodiscard]] FrameType type_of(const Frame& frame) noexcept;

/// "HELLO", ... for log lines and messages; "?" for a number that is none of ours.
[[nodiscard]] std::string_view name_of(FrameType type) noexcept;

}  // namespace pilotlight::wire
