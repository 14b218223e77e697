#pragma once

#include <string>

#include "common/async/event.h"
#include "common/http/forwarding.h"
#include "common/http/server_connection.h"
#include "common/http/upstream.h"

namespace pilotlight::http {

/// Why a sidecar of ours sent a request back before the app saw any of it: the value of
/// `Pilotlight-Not-Started` on its 503.
enum class Bounce : std::uint8_t { none, full, draining, not_ready };

/// The value on the wire, and back; anything unknown reads as `full`.
[[nodiscard]] std::string_view bounce_text(Bounce bounce) noexcept;
[[nodiscard]] Bounce parse_bounce(std::string_view value) noexcept;

/// How one exchange ended.
struct ExchangeEnd {
  ErrorCode error;               ///< None: a whole answer went downstream, or a bounce came back.
  Bounce bounce = Bounce::none;  ///< The sidecar refused; the request is still here, whole.
  bool not_started = false;      ///< With an error: it may be sent again, whatever its method.
  bool answered = false;         ///< At least a part of a final answer went downstream.
  bool keep_upstream = false;    ///< The upstream connection can carry another request.
  unsigned status = 0;           ///< Of the final answer; 0 when there was none.
};

/// What to do with one request.
struct ExchangePlan {
  RequestEdit edit;
  /// The upstream is a sidecar of ours: bounces are recognised, and a body that is not here yet
  /// waits for the sidecar's 100 (its permit), so that the request stays repeatable until then.
  bool upstream_admits = false;
  /// Further 100 responses of the upstream are for this hop, not for the client.
  bool swallow_continue = false;
};

/// Called when the first byte of a final answer has been read from upstream.
struct FirstByteHook {
  void (*call)(void* context) = nullptr;
  void* context = nullptr;
};

/// One request and its answer between a downstream and an upstream connection: head and early body
/// in one gather write, then both bodies as the bytes that come, with back-pressure (one piece of
/// at most the buffer's size in memory per direction). A second coroutine runs only where a body
/// is uploaded while the answer may already flow. 101 turns the pair into a tunnel.
///
/// Suspends until the answer is through, the request's interruption is raised, or the upstream
/// fails. Until an answer has begun, nothing but interim responses was written downstream.
class Exchange {
 public:
  Exchange(ServerConnection& down, UpstreamConnection& up, const ExchangePlan& plan);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  [[nodiscard]] Task<ExchangeEnd> run(FirstByteHook on_first_byte);

  /// Whether the app has the whole request and owes an answer, which a tunnel has not.
  [[nodiscard]] bool app_may_compute() const noexcept {
    return upload_whole_ && end_.status != 101;
  }
  /// After run(): reads what is left of the answer and throws it away, until `until` or a stop of
  /// the process at the latest.
  [[nodiscard]] Task<> absorb_answer(TimePoint until);
  [[nodiscard]] UpstreamConnection& upstream() noexcept { return up_; }

  /// Both bodies, as far as they went through.
  [[nodiscard]] const BodyScanner& request_body() const noexcept { return request_body_; }
  [[nodiscard]] const BodyScanner& answer_body() const noexcept { return answer_body_; }

  /// Whether what is being written had better stop.
  [[nodiscard]] bool ending() const noexcept {
    return upload_stopped_ || down_.interruption().raised();
  }

 private:
  enum class Body : std::uint8_t { complete, uploading, held };

  // Steps that never wait. What the socket did not take at once is in unsent_ then.
  [[nodiscard]] Result<> begin_request();
  [[nodiscard]] Result<> begin_answer();
  [[nodiscard]] Result<> received(const IoResult& got);
  [[nodiscard]] bool bounced() const noexcept;
  [[nodiscard]] bool switches_as_asked() const noexcept;
  void note_failure(ErrorCode error);
  [[nodiscard]] ExchangeEnd finish();

  [[nodiscard]] Task<Result<>> send_unsent_down();
  [[nodiscard]] Task<Result<>> release_body();
  [[nodiscard]] Task<Result<>> pass_interim();
  [[nodiscard]] Task<Result<>> relay_answer();
  [[nodiscard]] Task<Result<>> tunnel();
  [[nodiscard]] Task<> take_bounce();
  /// `unsent`: what goes before the bytes that are still to be read.
  [[nodiscard]] Task<> upload(std::string unsent);
  [[nodiscard]] Task<> tunnel_up();
  [[nodiscard]] Task<Result<>> read_upstream();
  [[nodiscard]] Task<Result<>> write_downstream(std::string_view bytes);
  [[nodiscard]] Task<ErrorCode> write_upstream(std::string_view bytes);

  void start_upload(Task<> task);
  [[nodiscard]] Task<> join_upload();
  [[nodiscard]] ErrorCode interrupted() const noexcept;
  void break_off() noexcept;

  ServerConnection& down_;
  UpstreamConnection& up_;
  const ExchangePlan& plan_;
  ExchangeEnd end_;
  BodyScanner request_body_;
  BodyScanner answer_body_;
  Body body_ = Body::complete;
  std::string unsent_;
  std::size_t early_ = 0;  // bytes of the body that came with the head
  bool to_head_request_;
  bool http10_;
  bool client_waits_;   // the client sent Expect: 100-continue and got no 100 yet
  bool body_may_stay_;  // the upstream may answer, and take the unread body for a request
  bool keep_downstream_ = true;
  bool released_ = false;        // the request's bytes have been given back to the buffer
  bool plain_ = false;           // the answer goes down without its chunks
  bool upload_stopped_ = false;  // by us, or by an upstream that reads no more
  bool upload_running_ = false;
  bool upload_whole_ = false;      // every byte of the request has been written
  Event* upload_ended_ = nullptr;  // the connection's, while there is a second coroutine
  std::string upgrade_;            // what the client asked to switch to
};

}  // namespace pilotlight::http
