#pragma once

#include <optional>
#include <string>

#include "common/async/deadline_queue.h"
#include "common/async/event.h"
#include "common/async/interruption.h"
#include "common/async/scope.h"
#include "common/http/body.h"
#include "common/http/forwarding.h"
#include "common/http/head.h"
#include "common/http/local_reply.h"
#include "common/http/read_buffer.h"
#include "common/net/leave_watch.h"
#include "common/net/transport.h"

namespace pilotlight::http {

/// What the connections of one shard share. Owned by the program; outlives every connection.
struct ShardParts {
  Executor executor;
  Clock& clock;
  Scope& scope;
  DeadlineQueue& deadlines;
  LeaveWatch& leaves;
  BlockPool blocks{};
  OutgoingHead outgoing{};  ///< Composed and written between two suspensions.
};

/// The three clocks of one request, from one start; waiting spends them too.
/// Absent is off.
struct RequestClocks {
  Duration total{};                        ///< Until the last byte of the answer.
  std::optional<Duration> response_start;  ///< Until the first byte of the answer.
  /// Between two writes of the answer; until the first one, from the start. In a tunnel bytes of
  /// either direction count.
  std::optional<Duration> idle;
};

/// The downstream side of one HTTP/1.x connection: reads one request head after the other, in
/// place, and knows at once when the client leaves or the request's time is up.
///
/// Lives in the frame of the connection's coroutine, on one shard. Between two requests it holds
/// one small buffer and no timer.
class ServerConnection {
 public:
  ServerConnection(ShardParts& parts, Transport stream);
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  /// Waits for the next request and parses its head, behind the TLS handshake if one is due and
  /// within `kHandshakeTimeout`. The first byte may take as long as `idle`
  /// (an instant), the rest of the head until `kHeadTimeout` after it.
  /// @return done; an error of Asio when the client has gone or nothing came in time (say nothing
  /// and close); bad_message or head_too_large (answer, then close).
  [[nodiscard]] Task<Result<>> read_head(TimePoint idle);

  /// The present request. Its views hold until release_request().
  [[nodiscard]] const RequestHead& head() const noexcept { return head_; }
  /// Body bytes that have arrived with the head.
  [[nodiscard]] std::string_view early_body() const noexcept {
    return in_.view().substr(head_bytes_);
  }

  /// Reads what arrives next into in(). An error when nothing more comes, or in() is full.
  [[nodiscard]] Task<ErrorCode> read_more();

  /// Starts the request's three clocks at `now`: one deadline, the earliest that counts. When it
  /// comes, the interruption is raised.
  void start_clocks(const RequestClocks& clocks, TimePoint now);
  /// Bytes of the answer have gone down; in a tunnel, bytes of either direction have passed.
  void moved() {
    if (watches_moves_) restart_idle_clock();
  }
  [[nodiscard]] Interruption& interruption() noexcept { return interruption_; }

  /// Sends an answer of our own and decides whether the connection can go on: only when the
  /// request's body is here whole. Clears the deadline first.
  [[nodiscard]] Task<Result<>> reply(const LocalReply& answer, bool close);

  /// Gives the bytes of head and early body back, so that the buffer can be read into again.
  void release_request(std::size_t early_body_taken) noexcept;

  /// Ends the present request: its clock stops. @return whether another one may follow.
  [[nodiscard]] bool end_request() noexcept;

  /// From here on a half-close of the client is data, not a leave: it passes through.
  void enter_tunnel() noexcept { tunnel_ = true; }

  /// The event that ends a request's second coroutine: one for the life of the connection, new for
  /// each request.
  [[nodiscard]] Event& fresh_event();

  /// No further request on this connection.
  void close_after() noexcept { last_ = true; }
  /// The same, and what the client still sends is read for a while before the close.
  void linger_after() noexcept { last_ = lingers_ = true; }
  [[nodiscard]] bool last() const noexcept { return last_; }

  /// Ends a wait for the next request, so that an idle connection goes when the process drains.
  void close_when_idle() noexcept;
  /// The program stops: whatever runs here ends now.
  void stop() noexcept { interruption_.raise(Cause::stopped); }

  /// Ends the connection behind its last answer: lingers where that was one of ours, or came before
  /// its request was here; with TLS the close_notify that tells a client that nothing is missing.
  /// Not after a reset() or an interrupted request.
  [[nodiscard]] Task<> finish();
  /// Closes so that no client can take a cut-off answer for a whole one.
  void reset() noexcept;

  [[nodiscard]] Transport& stream() noexcept { return stream_; }
  [[nodiscard]] ReadBuffer& in() noexcept { return in_; }
  [[nodiscard]] ShardParts& parts() noexcept { return parts_; }
  [[nodiscard]] const std::string& peer_address() const noexcept { return peer_address_; }
  /// What every request of this connection adds to its head (RequestEdit::peer_line).
  [[nodiscard]] const std::string& peer_line() const noexcept { return peer_line_; }

  static constexpr std::chrono::seconds kHeadTimeout{60};       ///< As Knative's.
  static constexpr std::chrono::seconds kHandshakeTimeout{10};  ///< For the whole TLS handshake.

 private:
  /// Closes politely: half-closes, then reads what the client still sends (bounded), so that a
  /// reset does not destroy an answer it has not read yet.
  [[nodiscard]] Task<> linger();
  static void on_left(void* self) noexcept;
  static void on_deadline(void* self) noexcept;
  [[nodiscard]] Task<Result<>> handshake();
  void restart_idle_clock();

  ShardParts& parts_;
  Transport stream_;
  DirectReader reader_{stream_.tcp()};
  ReadBuffer in_;
  RequestHead head_;
  std::size_t head_bytes_ = 0;  // 0 once released
  Interruption interruption_;
  Deadline deadline_;
  TimePoint latest_ = TimePoint::max();  // of the present request, whatever moves
  Duration idle_limit_{};                // zero: no idle clock
  bool watches_moves_ = false;
  std::optional<Event> event_;
  std::string peer_address_;
  std::string peer_line_;
  bool idle_ = false;
  bool last_ = false;
  bool lingers_ = false;  // what was asked may still come behind the last answer
  bool whole_ = true;     // no answer is owed, or was cut short
  bool tunnel_ = false;
  LeaveWatch::Entry leave_;  // last: goes before the descriptor closes
};

}  // namespace pilotlight::http
