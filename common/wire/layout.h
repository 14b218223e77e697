#pragma once

#include <concepts>
#include <type_traits>

#include "common/wire/frames.h"

/// The byte layout of every payload, said once for both directions: `io` is a reader or a writer
/// with the same calls (codec.cc). The order of the lines is the order of the bytes;
/// docs/wire-protocol.md has the same as tables. New fields go to the end of a payload only.
namespace pilotlight::wire {

/// "PLTW", so that a stray HTTP client is told apart with its first bytes.
inline constexpr std::uint32_t kMagic = 0x57544c50;

/// A frame to fill, or a const one to write.
template <class F, class T>
concept Either = std::same_as<std::remove_const_t<F>, T>;

template <class Io, class Key>
void key_layout(Io& io, Key& key) {
  io.text(key.name_space);
  io.text(key.revision);
}

template <class Io, Either<Hello> F>
void layout(Io& io, F& f) {
  io.magic(kMagic);
  io.integer(f.version_min);
  io.integer(f.version_max);
  io.integer(f.capabilities);
  io.closed(f.role, 1, 2);
  key_layout(io, f.revision);
  io.text(f.replica);
  io.text(f.address);
  io.integer(f.epoch);
  io.text(f.token);
}

template <class Io, Either<Welcome> F>
void layout(Io& io, F& f) {
  io.integer(f.version);
  io.integer(f.capabilities);
  io.integer(f.report_period_ms);
  io.integer(f.server_epoch);
}

template <class Io, Either<Stats> F>
void layout(Io& io, F& f) {
  key_layout(io, f.revision);
  io.integer(f.epoch);
  io.integer(f.load.at_us);
  io.integer(f.load.concurrency_us);
  io.integer(f.load.proxied_concurrency_us);
  io.integer(f.load.arrivals);
  io.integer(f.load.proxied_arrivals);
  io.integer(f.load.completions);
  io.integer(f.load.service_time_us);
  io.integer(f.load.in_flight);
  io.integer(f.load.proxied_in_flight);
  io.integer(f.queued);
  io.integer(f.limit);
  io.integer(f.oldest_wait_us);
  for (auto& refused : f.load.refusals) io.integer(refused);
}

template <class Io, class B>
void bucket_layout(Io& io, B& bucket) {
  io.integer(bucket.age);
  io.integer(bucket.concurrency_us);
  io.integer(bucket.proxied_concurrency_us);
  io.integer(bucket.arrivals_u);
  io.integer(bucket.proxied_arrivals_u);
  io.integer(bucket.longest_wait_us);
}

template <class Io, Either<History> F>
void layout(Io& io, F& f) {
  layout(io, f.until);
  io.list(f.buckets, [](Io& each, auto& bucket) { bucket_layout(each, bucket); });
}

template <class Io, Either<HistoryEnd> F>
void layout(Io& io, F& f) {
  io.integer(f.epoch);
}

template <class Io, Either<Checkpoint> F>
void layout(Io& io, F& f) {
  key_layout(io, f.revision);
  io.integer(f.server_epoch);
  io.integer(f.at_us);
  io.integer(f.held_us);
  io.integer(f.panic_us);
  io.integer(f.max_panic);
  io.flag(f.initial_reached);
  io.integer(f.initial_ready_us);
  io.integer(f.activating_us);
  io.integer(f.active_us);
  io.integer(f.idle_us);
  io.integer(f.proxied_us);
  io.list(f.delayed, [](Io& each, auto& wanted) {
    each.integer(wanted.slots_ago);
    each.integer(wanted.replicas);
  });
}

template <class Io, Either<Poke> F>
void layout(Io& io, F& f) {
  key_layout(io, f.revision);
  io.integer(f.parked);
  io.integer(f.oldest_wait_us);
}

template <class Io, Either<Ready> F>
void layout(Io& io, F& f) {
  io.integer(f.epoch);
  io.integer(f.capacity);
  io.closed(f.replica_class, 0, 2);
  io.integer(f.listen_us);
  io.integer(f.ready_us);
  io.tail(f.told_us);
}

template <class Io, Either<NotReady> F>
void layout(Io& io, F& f) {
  io.integer(f.epoch);
  io.open(f.reason);
  io.text(f.text);
}

template <class Io, class R>
void replica_layout(Io& io, R& replica) {
  io.text(replica.name);
  io.text(replica.address);
  io.integer(replica.epoch);
  io.integer(replica.capacity);
  io.closed(replica.replica_class, 0, 2);
  io.closed(replica.state, 0, 1);
}

template <class Io, Either<Endpoints> F>
void layout(Io& io, F& f) {
  key_layout(io, f.revision);
  io.integer(f.server_epoch);
  io.integer(f.generation);
  io.flag(f.complete);
  io.integer(f.ready_p50_us);
  io.integer(f.ready_p95_us);
  io.list(f.replicas, [](Io& each, auto& replica) { replica_layout(each, replica); });
  io.tail(f.cause);  // what comes behind it must not leave it absent
}

template <class Io, Either<Drain> F>
void layout(Io& io, F& f) {
  key_layout(io, f.revision);
  io.text(f.replica);
  io.integer(f.epoch);
}

template <class Io, Either<Drained> F>
void layout(Io& io, F& f) {
  key_layout(io, f.revision);
  io.text(f.replica);
  io.integer(f.epoch);
}

template <class Io, Either<Woken> F>
void layout(Io& io, F& f) {
  key_layout(io, f.revision);
  io.flag(f.answered);
  io.open(f.cause);
  io.integer(f.waited_us);
}

template <class Io, Either<Ping> F>
void layout(Io& io, F& f) {
  io.integer(f.id);
}

template <class Io, Either<Pong> F>
void layout(Io& io, F& f) {
  io.integer(f.id);
}

template <class Io, Either<Goaway> F>
void layout(Io& io, F& f) {
  io.text(f.leader);
  io.text(f.text);
}

template <class Io, Either<Error> F>
void layout(Io& io, F& f) {
  io.open(f.code);
  io.text(f.text);
}

}  // namespace pilotlight::wire
