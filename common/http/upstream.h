#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/http/body.h"
#include "common/http/head.h"
#include "common/http/read_buffer.h"
#include "common/http/server_connection.h"
#include "common/net/direct_io.h"
#include "common/net/leave_watch.h"

namespace pilotlight::http {

class UpstreamPool;

/// One connection to an upstream, and what is known about how far the present request got on it.
class UpstreamConnection {
 public:
  explicit UpstreamConnection(ShardParts& parts)
      : parts_(parts), stream_(parts.executor), in_(parts.blocks) {}
  UpstreamConnection(const UpstreamConnection&) = delete;
  UpstreamConnection& operator=(const UpstreamConnection&) = delete;

  /// Call once it is connected: a FIN is noticed from then on.
  void watch();

  [[nodiscard]] TcpStream& stream() noexcept { return stream_; }
  /// Reads into in()'s room what comes next: `co_await up.receive(room, got)`. Ask retry(got) then.
  [[nodiscard]] Reception receive(asio::mutable_buffer room, IoResult& got) noexcept {
    return reader_.receive(room, got, finished_ ? ShortRead::proves_nothing : ShortRead::drained);
  }
  /// Whether that read was only ended to look again, because the upstream has sent its FIN.
  [[nodiscard]] bool retry(const IoResult& got) noexcept {
    return got.error == asio::error::operation_aborted && std::exchange(look_again_, false);
  }
  [[nodiscard]] ReadBuffer& in() noexcept { return in_; }
  [[nodiscard]] ResponseHead& head() noexcept { return head_; }

  /// From here on the bytes written belong to a new request.
  void begin_request() noexcept { sent_before_ = sent_; }
  void sent(std::size_t bytes) noexcept { sent_ += bytes; }

  /// Whether no byte of the present request was acknowledged by the upstream's kernel: then no
  /// upstream has started it, and it may be sent again. Ask once the
  /// connection has died. Unknown counts as no.
  [[nodiscard]] bool nothing_acknowledged() noexcept;

  /// Half-closes, so that the upstream drops the work, and waits for its end of file until
  /// `until`. The connection cannot be used afterwards.
  [[nodiscard]] Task<> hang_up(TimePoint until);

  /// Reads the answer to its end and throws it away: the client has left but the upstream goes on
  /// computing. `rest` is what is left of one whose head has been taken already. Ends at `until` at
  /// the latest.
  [[nodiscard]] Task<> absorb_answer(std::optional<BodyScanner> rest, bool to_head_request,
                                     TimePoint until);

 private:
  friend class UpstreamPool;

  /// Reads until `until`. @return false at the end of file, an error, or when the time is up.
  [[nodiscard]] Task<bool> read_some(TimePoint until);

  static void on_finished(void* self) noexcept;

  /// Whether it came back so shortly ago that a look at it would say nothing new.
  [[nodiscard]] bool just_used(TimePoint now) const noexcept;

  ShardParts& parts_;
  TcpStream stream_;
  DirectReader reader_{stream_};
  ReadBuffer in_;
  ResponseHead head_;
  bool finished_ = false;    // the upstream has sent a FIN: what is left to read is all there is
  bool look_again_ = false;  // a read was ended for that
  std::uint64_t sent_ = 0;   // payload bytes written since the connection was opened
  std::uint64_t sent_before_ = 0;  // of these, before the present request
  TimePoint idle_since_{};
  TimePoint idle_until_{};
  UpstreamPool* idles_in_ = nullptr;  // who is told that it ended
  bool reused_ = false;
  std::optional<LeaveWatch::Entry> leave_;  // last: goes before the descriptor closes
};

/// Keep-alive connections to one upstream address, the last used first. Shard-local.
///
/// A connection is checked for an end of file, and for bytes that nobody asked for, when it is
/// taken, unless an answer with a body was read from it within the last 50 us. It is kept 4 s by
/// default (MLServer's server closes at 5), less when the upstream says so (`Keep-Alive: timeout`),
/// and at most half as long as the shortest idle time after which the upstream was seen to close:
/// the pool is told the moment it does. A close within 100 ms is a server that ends, not one that
/// waits no longer, and what was learned is forgotten when a connect is refused: then another one
/// comes.
class UpstreamPool {
 public:
  struct Params {
    tcp::endpoint address;
    std::size_t idle_limit = 1000;  ///< Connections kept at once.
    Duration idle_timeout = std::chrono::seconds(4);
    Duration dial_timeout = std::chrono::seconds(20);  ///< As Knative's dials, in total.
  };

  UpstreamPool(ShardParts& parts, Params params) : parts_(parts), params_(params) {}

  /// One request's use of one connection. Given back with keep(), or closed when destroyed.
  class Checkout {
   public:
    Checkout(UpstreamPool& pool, std::unique_ptr<UpstreamConnection> connection) noexcept
        : pool_(&pool), connection_(std::move(connection)) {}
    [[nodiscard]] UpstreamConnection& operator*() const noexcept { return *connection_; }
    [[nodiscard]] UpstreamConnection* operator->() const noexcept { return connection_.get(); }
    /// Whether it had carried a request before: only then can it be stale.
    [[nodiscard]] bool reused() const noexcept { return connection_->reused_; }
    void keep(TimePoint now) { pool_->put_back(std::move(connection_), now); }

   private:
    UpstreamPool* pool_;
    std::unique_ptr<UpstreamConnection> connection_;
  };

  /// An idle connection that still stands; nothing when there is none. Never waits.
  [[nodiscard]] std::optional<Checkout> take_idle(TimePoint now);

  /// An idle connection, or a new one made before `deadline`. `interruption` ends the dialing.
  /// @return the checkout, or upstream_refused (nothing was sent), deadline_exceeded,
  /// downstream_gone.
  [[nodiscard]] Task<Result<Checkout>> take(TimePoint deadline, Interruption& interruption);

  /// An idle connection of ours was closed by the upstream: `connection` is destroyed.
  void closed_while_idle(UpstreamConnection& connection) noexcept;

  /// Closes what idles.
  void clear() noexcept { idle_.clear(); }
  [[nodiscard]] std::size_t idle() const noexcept { return idle_.size(); }
  [[nodiscard]] const tcp::endpoint& address() const noexcept { return params_.address; }

 private:
  void put_back(std::unique_ptr<UpstreamConnection> connection, TimePoint now);
  void drop_old(TimePoint now);
  void learn(Duration idled) noexcept;
  [[nodiscard]] Duration keep_time(const ResponseHead& last) const noexcept;

  ShardParts& parts_;
  Params params_;
  std::vector<std::unique_ptr<UpstreamConnection>> idle_;  // back was used last
  Duration shortest_close_ = Duration::max();              // idle time after which it has closed
};

}  // namespace pilotlight::http
