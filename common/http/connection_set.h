#pragma once

#include <cstddef>
#include <list>

#include "common/http/server_connection.h"

namespace pilotlight::http {

/// The downstream connections of one pipeline, so that a drain can end those that idle and a stop
/// all of them. Shard-local.
class ConnectionSet {
 public:
  /// One connection's membership, for as long as its coroutine runs.
  class Member {
   public:
    Member(ConnectionSet& set, ServerConnection& connection)
        : set_(set), place_(set.connections_.insert(set.connections_.end(), &connection)) {}
    ~Member() { set_.connections_.erase(place_); }
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

   private:
    ConnectionSet& set_;
    std::list<ServerConnection*>::iterator place_;
  };

  /// Every answer from now on is its connection's last. Idle connections may ask once more.
  void announce_end() noexcept { closing_ = true; }

  /// The same, and idle connections end.
  void close() noexcept {
    closing_ = true;
    for (ServerConnection* connection : connections_) connection->close_when_idle();
  }

  /// Ends everything that runs, now.
  void stop() noexcept {
    close();
    for (ServerConnection* connection : connections_) connection->stop();
  }

  /// Ends the one that has been here longest, of those that do not end already. @return whether
  /// there was one.
  bool stop_oldest() noexcept {
    for (ServerConnection* connection : connections_) {
      if (connection->interruption().raised()) continue;
      connection->stop();
      return true;
    }
    return false;
  }

  [[nodiscard]] bool closing() const noexcept { return closing_; }
  [[nodiscard]] bool empty() const noexcept { return connections_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return connections_.size(); }

 private:
  std::list<ServerConnection*> connections_;
  bool closing_ = false;
};

}  // namespace pilotlight::http
