#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string_view>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

#include "common/base/clock.h"
#include "common/wire/credentials.h"
#include "common/wire/frames.h"

namespace pilotlight::wire {

/// What a Client tells its owner, on the Client's shard. Calls may call the Client back (send(),
/// put_stats(), close()), never destroy it.
class ClientListener {
 public:
  virtual ~ClientListener() = default;

  /// HELLO was accepted. The other side knows nothing yet: send the state that it needs (READY or
  /// NOT_READY, POKE for what is still parked, DRAINED for what has ended meanwhile).
  virtual void connected(const Welcome& welcome) = 0;

  /// The connection that connected() announced has ended; another is being made unless the client
  /// is closed. Called once for each connected().
  virtual void disconnected(std::string_view reason) = 0;

  /// Any frame but WELCOME, PING, PONG, GOAWAY and ERROR.
  virtual void received(const Frame& frame) = 0;
};

/// Keeps one connection to the autoscaler, for as long as it runs.
///
/// Reconnects for ever: after 20 ms, doubling to 1 s, each wait shortened at random by up to half.
/// One that answers GOAWAY with a leader is left for that one, and asked again when the leader is
/// lost. A server that does not answer HELLO within 2 s, or from which nothing was heard for 4 s
/// (PING is sent after 1 s of silence), is given up. Urgent frames go out in order, at once; STATS
/// go out after them, newest wins. Nothing is kept across connections except unsent STATS: counters
/// are cumulative, and the owner sends the rest again in connected(). At most 256 frames wait; a
/// server that lets more pile up is given up.
///
/// With a CA among its credentials it speaks TLS 1.3, and only to a server that shows a certificate
/// of that CA for kServerName; the handshake is within the 2 s.
///
/// Lives on one shard. Destroy it only after run() has ended.
class Client {
 public:
  /// `random` is only for jitter. All references outlive the client.
  Client(Executor executor, Clock& clock, asio::ip::tcp::endpoint server, Hello hello,
         ClientListener& listener, std::mt19937_64& random,
         CredentialSources credentials = CredentialSources());
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Connects, and serves the connection, until close(). Spawn it once. Cancelling the task that
  /// runs it does the same as close().
  [[nodiscard]] Task<> run();

  /// Writes what is queued if the socket takes it at once, then ends run(). Idempotent.
  void close() noexcept;

  /// Queues an urgent frame. @return false, and nothing is sent, when not connected.
  bool send(Frame frame);

  /// Replaces the unsent STATS of that revision. Kept for the next connection when there is none.
  void put_stats(Stats stats);

  /// Whether the server of this connection asks for HISTORY and has not had ours: its epoch is new
  /// to us. Tell it before the next STATS.
  [[nodiscard]] bool wants_history() const noexcept;

  /// Queues all that is to be replayed, and HISTORY_END after it. Goes out behind urgent frames and
  /// before STATS; what a broken connection did not take is wanted again.
  void put_history(std::vector<Frame> frames);

  [[nodiscard]] bool connected() const noexcept;

  /// Of the connection at hand, or of the last one; none before the first.
  [[nodiscard]] const std::optional<Welcome>& welcome() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pilotlight::wire
