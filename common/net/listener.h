#pragma once

#include <functional>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/net/stream.h"

namespace pilotlight {

/// Parses "1.2.3.4:80" or "[::1]:80". Names are not resolved: addresses only.
[[nodiscard]] Result<tcp::endpoint> parse_endpoint(std::string_view text);

/// "1.2.3.4:80" or "[::1]:80".
[[nodiscard]] std::string to_string(const tcp::endpoint& endpoint);

/// A descriptor that listens there, for Listener::adopt(). `shared`: with SO_REUSEPORT.
[[nodiscard]] Result<int> listening_socket(const tcp::endpoint& where, bool shared) noexcept;

/// Accepts connections on one shard and hands each to `on_connection`, with TCP_NODELAY set.
///
/// A burst of connections is accepted 64 at a time, between the work for those that are there.
/// Running out of descriptors backs off (5 ms, doubling to 1 s) instead of spinning. Lives on one
/// shard; several shards may accept on one address, each with a Listener of its own.
class Listener {
 public:
  using OnConnection = std::function<void(TcpStream)>;

  Listener(Executor executor, Clock& clock, OnConnection on_connection);

  /// Binds and listens. `shared`: with SO_REUSEPORT, so that other shards can bind it too.
  [[nodiscard]] Result<> bind(const tcp::endpoint& where, bool shared);

  /// Takes over a listening descriptor, which it then owns.
  [[nodiscard]] Result<> adopt(int descriptor);

  [[nodiscard]] tcp::endpoint local() const;

  /// Accepts until close(). Spawn it once bound.
  [[nodiscard]] Task<> run();

  /// Takes nothing new from here on; run() ends.
  void close() noexcept;

 private:
  struct Accepted {
    ErrorCode ec;  // what ended it; none when there may be more
    std::size_t count = 0;
  };
  [[nodiscard]] Accepted accept_waiting();

  TcpAcceptor acceptor_;
  Clock& clock_;
  OnConnection on_connection_;
  std::unique_ptr<Timer> pause_;
};

}  // namespace pilotlight
