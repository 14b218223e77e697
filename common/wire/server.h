#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/ip/tcp.hpp>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/wire/frames.h"
#include "common/wire/gate.h"

namespace pilotlight {
class TlsFiles;
}

namespace pilotlight::wire {

/// One connection whose HELLO was accepted. Made and destroyed by the Server: good from joined()
/// until left() returns.
class Peer {
 public:
  virtual ~Peer() = default;

  [[nodiscard]] virtual const Hello& hello() const noexcept = 0;

  /// Queues an urgent frame; written at once and in order. A peer that lets more than 256 of them
  /// pile up is told `too_slow` and leaves soon after.
  virtual void send(Frame frame) = 0;

  /// Queues a set of replicas; replaces an unsent one of the same revision. Goes out after the
  /// urgent frames.
  virtual void put_endpoints(Endpoints endpoints) = 0;

  /// Queues what the decider remembers, likewise.
  virtual void put_checkpoint(Checkpoint checkpoint) = 0;

  /// Ends the connection soon, after what is queued and an ERROR; left() follows.
  virtual void close(ErrorCause cause, std::string_view text) = 0;
};

/// What a Server tells its owner, on the Server's shard. Calls may use any Peer and the Server, but
/// left() must not use the peer that leaves.
class ServerListener {
 public:
  virtual ~ServerListener() = default;
  virtual void joined(Peer& peer) = 0;

  /// Any frame but HELLO, PING, PONG and ERROR. What a role may not send was refused before:
  /// STATS, HISTORY and HISTORY_END from both, READY and NOT_READY from sidecars, POKE, DRAINED and
  /// CHECKPOINT from activators.
  virtual void received(Peer& peer, const Frame& frame) = 0;

  /// The peer's connection has ended. `replaced`: a newer connection of the same process took its
  /// place, and joined() was called for that one before.
  virtual void left(Peer& peer, std::string_view reason, bool replaced) = 0;
};

struct ServerOptions {
  std::string token;     ///< What HELLO must carry; compared in constant time. Empty accepts any.
  Gate* gate = nullptr;  ///< Who may speak, if more is asked than the token.
  const TlsFiles* tls = nullptr;  ///< Speaks TLS with what it has at each accept; else plain TCP.
  std::uint32_t report_period_ms = 500;
  /// Sidecars that join when so many are there are told to report less often: what all reports cost
  /// stays bounded, and of a crowd no single one says much.
  std::size_t crowd = 1000;
  std::uint32_t crowd_report_period_ms = 1000;
  std::uint64_t epoch = 0;
  std::size_t connection_limit = 10'000;
};

/// Counters since the start, for metrics.
struct ServerCounts {
  std::uint64_t accepted = 0;
  /// Came to nothing before their WELCOME, by Refusal.
  std::array<std::uint64_t, kRefusals> refusals{};
  std::uint64_t sent_away = 0;   ///< HELLO answered with GOAWAY.
  std::uint64_t bad_frames = 0;  ///< Connections ended by bytes that are not a frame.
  std::uint64_t skipped = 0;     ///< Frames of unknown type.
  std::uint64_t frames = 0;
  std::size_t open = 0;   ///< Connections now.
  std::size_t limit = 0;  ///< At most so many.

  [[nodiscard]] std::uint64_t refused() const noexcept;
  [[nodiscard]] std::uint64_t refused(Refusal why) const noexcept {
    return refusals.at(static_cast<std::size_t>(why));
  }
};

/// Accepts sidecars and activators. A connection must say HELLO within 2 s, the TLS handshake
/// included; one from which nothing was heard for 4 s ends (PING is sent after 1 s of silence).
/// While the Gate decides, which is within those 2 s, nothing more is read. Of two connections with
/// the same role, revision, replica and epoch the newer one stays. Lives on one shard.
class Server {
 public:
  /// What `options` points at outlives the server.
  Server(Executor executor, Clock& clock, ServerOptions options, ServerListener& listener);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Binds and starts accepting. @return where (the port that was picked, if 0 was asked for).
  [[nodiscard]] Result<asio::ip::tcp::endpoint> listen(const asio::ip::tcp::endpoint& where);

  /// Answers every acceptable HELLO from here on with GOAWAY{leader}: another process does the
  /// work. `leader` is "ip:port", or "" while nobody knows.
  void send_away(std::string leader);
  /// Does the work itself again, or for the first time.
  void welcome_all() noexcept;

  /// Refuses, now, whoever has been welcomed and said a HELLO like that; counted as a refusal.
  void turn_out(const std::function<bool(const Hello&)>& like, const Objection& objection);

  /// Stops accepting, ends every connection (left() for each), waits for them. Call it before the
  /// destructor.
  [[nodiscard]] Task<> stop();

  [[nodiscard]] const ServerCounts& counts() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pilotlight::wire
