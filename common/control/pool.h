#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "common/control/client.h"

namespace pilotlight::control {

class Channel;

/// Asks one server over connections that are kept: a TLS handshake costs both sides milliseconds.
///
/// At most `most` are open at a time; who finds them all taken waits in line, until its deadline.
/// The connection used last is taken first, so that idle ones age and are closed by the server. A
/// GET whose kept connection dies before a byte of the answer has come is sent once more, on a new
/// one. Whatever changes something is sent once: whether and when it goes out again is for its
/// owner to decide. A POST, which may not happen twice, takes no connection that was idle for long.
/// One shard; no ask() may be under way when it is destroyed.
class Pool {
 public:
  Pool(Executor executor, Clock& clock, Peer peer, std::size_t most = 16);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// As control::ask().
  [[nodiscard]] Task<Result<Answer>> ask(Ask what, TimePoint deadline);

  /// Replaces where connections go from here on. What is under way goes on.
  void set_peer(Peer peer);

  [[nodiscard]] const Peer& peer() const noexcept { return peer_; }
  [[nodiscard]] std::size_t idle() const noexcept { return idle_.size(); }
  [[nodiscard]] std::size_t taken() const noexcept { return taken_; }

 private:
  struct Waiter;
  class Turn;
  using Held = std::unique_ptr<Channel>;
  struct Idle {
    Held channel;
    TimePoint since;
  };

  [[nodiscard]] Task<Result<>> wait_turn(TimePoint deadline);
  void give_back_turn() noexcept;
  [[nodiscard]] Held take_idle(Duration oldest);
  [[nodiscard]] Task<Result<Answer>> attempt(Held& channel, const Ask& what, TimePoint deadline);

  Executor executor_;
  Clock& clock_;
  Peer peer_;
  std::size_t most_;
  std::size_t taken_ = 0;
  std::uint64_t generation_ = 0;  // of peer_
  std::vector<Idle> idle_;        // the newest last
  std::list<Waiter*> line_;
};

}  // namespace pilotlight::control
