#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "common/base/system_clock.h"
#include "common/http/server_connection.h"
#include "common/net/listener.h"
#include "tests/support/sim_clock.h"

namespace pilotlight::test {

/// One shard on the calling thread, for component tests with real sockets on loopback port 0.
/// Nothing runs except inside run_until(), which is bounded. With Time::simulated only `sim` moves
/// the time that the code under test sees; bytes still travel as fast as loopback does.
class LoopbackShard {
 public:
  enum class Time { real, simulated };

  explicit LoopbackShard(Time time = Time::real);
  ~LoopbackShard();

  /// Runs the loop until `done` holds. @return false when it did not within 60 s.
  [[nodiscard]] bool run_until(const std::function<bool()>& done);

  /// Runs everything that is ready: what was spawned, posted or has arrived is then waiting for
  /// what comes next.
  void settle() { sim.settle(); }

  /// Runs the loop for that long: only for "nothing happens", where nothing can be waited for.
  void run_for(Duration time);

  asio::io_context loop{1};
  SystemClock wall{loop};
  SimClock sim{loop};
  Clock& clock;
  Scope scope{loop.get_executor()};
  DeadlineQueue deadlines;
  LeaveWatch leaves{loop.get_executor()};
  http::ShardParts parts{loop.get_executor(), clock, scope, deadlines, leaves};

 private:
  DeadlineRunner runner_{deadlines, clock};
};

/// A server whose every move the test decides: it accepts, collects what arrives, and sends or
/// closes when told.
class FakeServer {
 public:
  struct Connection {
    explicit Connection(TcpStream s) : stream(std::move(s)) {}
    TcpStream stream;
    std::string received;
    bool ended = false;  ///< The peer has closed its side.
    bool gone = false;   ///< close() or reset() was called here.
  };

  explicit FakeServer(LoopbackShard& shard);
  ~FakeServer();

  [[nodiscard]] tcp::endpoint address() const { return listener_.local(); }
  [[nodiscard]] std::size_t accepted() const noexcept { return connections_.size(); }
  [[nodiscard]] Connection& operator[](std::size_t index) { return *connections_.at(index); }

  /// Whole requests (heads) seen on all connections.
  [[nodiscard]] std::size_t requests() const;

  void send(std::size_t connection, std::string_view bytes);
  void close(std::size_t connection);
  void reset(std::size_t connection);

  /// Answers this to every request head that arrives, at once. Empty: the test answers.
  std::string automatic;

 private:
  [[nodiscard]] Task<> listen();
  [[nodiscard]] Task<> serve(std::size_t index);

  LoopbackShard& shard_;
  bool listening_ = true;
  Listener listener_;
  std::vector<std::unique_ptr<Connection>> connections_;
};

/// A client that sends raw bytes and collects what comes back.
class RawClient {
 public:
  RawClient(LoopbackShard& shard, tcp::endpoint to);
  ~RawClient();

  void send(std::string_view bytes);
  void half_close();
  void close();
  void reset();
  [[nodiscard]] const std::string& received() const noexcept { return received_; }
  [[nodiscard]] bool ended() const noexcept { return ended_; }
  /// It ended without an end of file.
  [[nodiscard]] bool was_reset() const noexcept { return reset_; }
  [[nodiscard]] bool got(std::string_view text) const {
    return received_.find(text) != std::string::npos;
  }

 private:
  [[nodiscard]] Task<> read();

  TcpStream stream_;
  std::string received_;
  bool ended_ = false;
  bool reset_ = false;
  bool reading_ = true;
  LoopbackShard& shard_;
};

}  // namespace pilotlight::test
