#pragma once

#include <cstdint>
#include <unordered_map>

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "common/base/error.h"
#include "common/net/stream.h"

namespace pilotlight {

/// Tells at once that a peer has closed, or half-closed, its connection, also while bytes of it
/// are still unread: those hide the end of file from a read, and from Asio's wait_error.
///
/// A second epoll, edge-triggered on EPOLLRDHUP only, is itself a descriptor of the shard's loop.
/// One registration per connection, none per request. A FIN behind more data than the receive
/// window holds never arrives, so it cannot be seen. Lives on one shard.
class LeaveWatch {
 public:
  using Callback = void (*)(void* context);

  /// Watches one connection for as long as it exists; destroy it right before the descriptor
  /// closes.
  class Entry {
   public:
    Entry(LeaveWatch& watch, int descriptor, Callback callback, void* context);
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    friend class LeaveWatch;
    LeaveWatch& watch_;
    Callback callback_;
    void* context_;
    std::uint64_t id_;
  };

  explicit LeaveWatch(Executor executor);
  ~LeaveWatch();
  LeaveWatch(const LeaveWatch&) = delete;
  LeaveWatch& operator=(const LeaveWatch&) = delete;

  /// Delivers leaves until stop(). Spawn it once.
  [[nodiscard]] Task<> run();
  void stop() noexcept;

 private:
  void deliver();

  asio::posix::basic_stream_descriptor<Executor> epoll_;
  std::unordered_map<std::uint64_t, Entry*> entries_;
  std::uint64_t next_id_ = 1;
};

}  // namespace pilotlight
