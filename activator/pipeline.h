#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "activator/metrics.h"
#include "activator/pools.h"
#include "activator/revisions.h"
#include "common/http/connection_set.h"
#include "common/http/exchange.h"

namespace pilotlight::activator {

/// Told on the data shard.
class TrafficListener {
 public:
  virtual ~TrafficListener() = default;
  /// The last downstream connection of the shard has ended.
  virtual void became_quiet() = 0;
};

/// The listening socket that a connection came in on. Shard-local.
struct Entrance {
  std::string name;      ///< RouteTable's name of a socket.
  bool leaving = false;  ///< Every answer is its connection's last: it leads elsewhere soon.
};
using EntrancePtr = std::shared_ptr<const Entrance>;

/// LIFE OF A REQUEST in the activator.
///
/// One coroutine per downstream connection: read a head; answer it if it is a probe, which is never
/// load and wakes nothing; find its revision; wait there for a place at a replica; forward it to
/// that replica's sidecar and relay the answer. What no app has started goes back to the front of
/// the line and elsewhere; what may have started is never sent twice. One per data shard.
class Pipeline {
 public:
  struct Parts {
    http::ShardParts& http;
    Revisions& revisions;
    Pools& pools;
    Cells& cells;
    TrafficListener& listener;
    std::string hop_epoch;  ///< The value of Pilotlight-Hop.
    ParkLimits limits;      ///< For the text of a 503.
  };

  explicit Pipeline(Parts parts) : parts_(std::move(parts)) {}
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  /// Serves one connection to its end, which came in there. Spawn it in the shard's scope.
  [[nodiscard]] Task<> serve(Transport stream, EntrancePtr entrance);

  /// The kubelet is told that we are fine from now on: there are routes.
  void became_ready() noexcept { ready_ = true; }
  /// Every answer from now on is its connection's last, and idle connections end.
  void close_connections() noexcept { connections_.close(); }
  /// Every answer from here on is the last one of its connection.
  void announce_end() noexcept { connections_.announce_end(); }
  /// Ends everything that runs, now.
  void stop() noexcept { connections_.stop(); }

  [[nodiscard]] std::size_t connections() const noexcept { return connections_.size(); }

 private:
  struct Request;

  [[nodiscard]] Task<> handle(http::ServerConnection& down, std::string_view socket);
  [[nodiscard]] Task<> answer_probe(http::ServerConnection& down);
  [[nodiscard]] Task<> run(http::ServerConnection& down, RevisionPtr revision);
  [[nodiscard]] Task<bool> attempt(Request& request, const Placement& placement);
  [[nodiscard]] Task<> conclude(Request& request, const http::ExchangeEnd& end);
  [[nodiscard]] Task<> refuse(Request& request, ErrorCode error);

  Parts parts_;
  http::ConnectionSet connections_;
  std::uint64_t tickets_ = 0;  // spreads requests over a route's rows
  bool ready_ = false;
};

}  // namespace pilotlight::activator
