#include "common/http/exchange.h"

#include <boost/asio/write.hpp>

#include "common/http/head_parser.h"

namespace pilotlight::http {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

/// A bounce's own body: a line of text. More than this is not one of ours.
constexpr std::size_t kBounceBytesMax = 4096;

/// Ends a write between two of its steps: a cancel that comes there finds nothing to end.
class UntilEnding {
 public:
  explicit UntilEnding(const Exchange& exchange) noexcept : exchange_(&exchange) {}
  std::size_t operator()(const ErrorCode& ec, std::size_t) const noexcept {
    return ec || exchange_->ending() ? 0 : ReadBuffer::kLimit;
  }

 private:
  const Exchange* exchange_;
};

/// How long a client may still send into a tunnel that the upstream has closed.
constexpr std::chrono::seconds kTunnelEnd{1};

/// Whether servers are known that answer such a request without looking at its body (CL.0): those
/// that expect none with its method, and those that were asked to refuse before it comes.
bool body_may_be_ignored(const RequestHead& head, const ExchangePlan& plan) noexcept {
  if (head.framing == Framing::none || plan.upstream_admits) return false;
  if (head.is_head || head.method == "GET") return true;
  return head.has(FieldKind::expect) && plan.edit.expect == ExpectEdit::keep;
}

}  // namespace

std::string_view bounce_text(Bounce bounce) noexcept {
  switch (bounce) {
    case Bounce::none: return "";
    case Bounce::full: return "full";
    case Bounce::draining: return "draining";
    case Bounce::not_ready: return "not-ready";
  }
  return "";
}

Bounce parse_bounce(std::string_view value) noexcept {
  if (value == "draining") return Bounce::draining;
  if (value == "not-ready") return Bounce::not_ready;
  return Bounce::full;
}

Exchange::Exchange(ServerConnection& down, UpstreamConnection& up, const ExchangePlan& plan)
    : down_(down),
      up_(up),
      plan_(plan),
      request_body_(down.head()),
      to_head_request_(down.head().is_head),
      http10_(down.head().version == 10),
      client_waits_(down.head().expects_continue),
      body_may_stay_(body_may_be_ignored(down.head(), plan)) {
  keep_downstream_ = down.head().keep_alive;
  if (down.head().upgrade) upgrade_ = down.head().value(FieldKind::upgrade);
}

bool Exchange::switches_as_asked() const noexcept {
  if (body_ == Body::held || !request_body_.done()) return false;  // that is no tunnel's to carry
  return up_.head().upgrade && has_token(upgrade_, up_.head().value(FieldKind::upgrade));
}

ErrorCode Exchange::interrupted() const noexcept {
  switch (down_.interruption().cause()) {
    case Cause::none: return {};
    case Cause::left: return FlowError::downstream_gone;
    case Cause::deadline: return FlowError::deadline_exceeded;
    case Cause::stopped: return FlowError::draining;
  }
  return {};
}

void Exchange::break_off() noexcept {
  ErrorCode ignored;  // what waits ends either way
  up_.stream().cancel(ignored);
  down_.stream().cancel(ignored);
}

Task<ExchangeEnd> Exchange::run(FirstByteHook on_first_byte) {
  const Interruption::Target target(
      down_.interruption(), [](void* self) { static_cast<Exchange*>(self)->break_off(); }, this);
  ExchangeEnd end = co_await run_steps(on_first_byte);
  co_await join_upload();
  const ErrorCode cause = interrupted();
  if (end.error && cause) end.error = cause;
  if (end.error || !keep_downstream_) down_.close_after();
  co_return end;
}

Task<ExchangeEnd> Exchange::run_steps(FirstByteHook on_first_byte) {
  up_.begin_request();
  Result<> step = co_await send_head();
  if (step) step = co_await read_final_head(on_first_byte);
  if (!step) {
    end_.error = step.error();
    // Once bytes of the request have left the buffer it cannot be sent again.
    const bool peer_died = end_.error != FlowError::bad_message && !interrupted();
    end_.not_started = peer_died && !released_ && up_.nothing_acknowledged();
    co_return end_;
  }
  if (plan_.upstream_admits && up_.head().status == 503 &&
      up_.head().has(FieldKind::pilotlight_not_started)) {
    co_await take_bounce();
    co_return end_;
  }
  end_.status = up_.head().status;
  if (!released_) {
    down_.release_request(early_);
    released_ = true;
  }
  // A body the upstream did not wait for: what follows on this connection cannot be trusted.
  if (body_ == Body::held) keep_downstream_ = false;
  if (end_.status == 101) {
    step = co_await tunnel();
  } else {
    step = co_await relay_answer();
  }
  if (!step) end_.error = step.error();
  co_return end_;
}

Task<Result<>> Exchange::send_head() {
  const Result<std::size_t> taken = request_body_.scan(down_.early_body());
  if (!taken) co_return taken.error();
  early_ = *taken;
  RequestEdit edit = plan_.edit;
  if (!request_body_.done()) {
    body_ = plan_.upstream_admits ? Body::held : Body::uploading;
    if (body_ == Body::held) edit.expect = ExpectEdit::add;
  } else if (plan_.upstream_admits) {
    edit.expect = ExpectEdit::cut;  // the body goes along: nobody has to ask for it
  }
  OutgoingHead& out = down_.outgoing();
  out.compose(down_.head(), edit);
  if (body_ != Body::held) out.append(down_.early_body().substr(0, early_));
  const auto [ec, n] =
      co_await asio::async_write(up_.stream(), out.buffers(), UntilEnding(*this), use_tuple);
  up_.sent(n);
  if (interrupted()) co_return interrupted();
  // A refused write may stand behind an answer that is already here (413, 401): read it first.
  if (ec && ec != asio::error::broken_pipe && ec != asio::error::connection_reset) co_return ec;
  if (body_ == Body::uploading) start_upload(upload());
  co_return Result<>();
}

Task<Result<>> Exchange::release_body() {
  if (client_waits_) {
    client_waits_ = false;
    const Result<> told = co_await write_downstream(kContinue);
    if (!told) co_return told;
  }
  body_ = Body::uploading;
  const std::string_view early = down_.early_body().substr(0, early_);
  const auto [ec, n] = co_await asio::async_write(
      up_.stream(), asio::buffer(early.data(), early.size()), UntilEnding(*this), use_tuple);
  up_.sent(n);
  if (ec) co_return ec;
  if (interrupted()) co_return interrupted();
  start_upload(upload());
  co_return Result<>();
}

void Exchange::start_upload(Task<> task) {
  down_.release_request(early_);
  released_ = true;
  upload_running_ = true;
  upload_ended_ = &down_.fresh_event();
  down_.parts().scope.spawn(std::move(task));
}

Task<> Exchange::upload() {
  ReadBuffer& in = down_.in();
  while (!request_body_.done() && !upload_stopped_ && !interrupted()) {
    if (in.empty()) {
      const auto [ec, n] = co_await down_.stream().async_read_some(in.prepare(), use_tuple);
      if (ec) {
        if (!upload_stopped_ && !interrupted()) down_.interruption().raise(Cause::left);
        break;
      }
      in.commit(n);
    }
    const Result<std::size_t> taken = request_body_.scan(in.view());
    if (!taken) {
      // What the client frames wrongly must not reach the upstream as a whole request.
      end_.error = taken.error();
      break_off();
      break;
    }
    const auto [ec, n] = co_await asio::async_write(
        up_.stream(), asio::buffer(in.view().data(), *taken), UntilEnding(*this), use_tuple);
    up_.sent(n);
    if (ec || n < *taken) break;  // the upstream reads no more; its answer may still come
    in.consume(*taken);
    upload_whole_ = request_body_.done();
  }
  upload_running_ = false;
  upload_ended_->set();
}

Task<> Exchange::join_upload() {
  if (upload_running_) {
    upload_stopped_ = true;
    ErrorCode ignored;  // the pump ends either way
    down_.stream().cancel(ignored);
    up_.stream().cancel(ignored);
    while (upload_running_) co_await upload_ended_->wait(TimePoint::max());
  }
  // A body that was read to its end may still have lost its last bytes on the way up.
  if (body_ == Body::uploading && !upload_whole_) {
    keep_downstream_ = false;
    end_.keep_upstream = false;
    down_.close_after();
  }
}

Task<Result<>> Exchange::read_upstream() {
  if (interrupted()) co_return interrupted();
  if (end_.error) co_return end_.error;
  const auto room = up_.in().prepare();
  if (room.size() == 0) co_return FlowError::head_too_large;
  const auto [ec, n] = co_await up_.stream().async_read_some(room, use_tuple);
  if (interrupted()) co_return interrupted();
  if (end_.error) co_return end_.error;
  if (ec) co_return ec;
  up_.in().commit(n);
  co_return Result<>();
}

Task<Result<>> Exchange::write_downstream(std::string_view bytes) {
  const auto [ec, n] = co_await asio::async_write(
      down_.stream(), asio::buffer(bytes.data(), bytes.size()), UntilEnding(*this), use_tuple);
  if (interrupted()) co_return interrupted();
  if (ec) co_return FlowError::downstream_gone;
  co_return Result<>();
}

Task<Result<>> Exchange::read_final_head(FirstByteHook on_first_byte) {
  for (;;) {
    const Result<std::size_t> used = parse_response(up_.in().view(), to_head_request_, up_.head());
    if (!used) co_return FlowError::upstream_failed;
    if (*used == 0) {
      const Result<> more = co_await read_upstream();
      if (!more) co_return more;
      continue;
    }
    // A switch that nobody asked for would make everything behind it invisible to this hop.
    if (up_.head().status == 101 && !switches_as_asked()) co_return FlowError::upstream_failed;
    if (!up_.head().interim() || up_.head().status == 101) {
      if (on_first_byte.call != nullptr) on_first_byte.call(on_first_byte.context);
      co_return Result<>();
    }
    const Result<> passed = co_await pass_interim();
    if (!passed) co_return passed;
    up_.in().consume(*used);
  }
}

Task<Result<>> Exchange::pass_interim() {
  if (up_.head().status == 100) {
    body_may_stay_ = false;
    if (body_ == Body::held) co_return co_await release_body();
    if (plan_.swallow_continue || !client_waits_) co_return Result<>();
    client_waits_ = false;
  }
  if (http10_) co_return Result<>();  // it would take this for the answer
  ResponseEdit edit;
  OutgoingHead& out = down_.outgoing();
  out.compose(up_.head(), edit);
  const auto [ec, n] =
      co_await asio::async_write(down_.stream(), out.buffers(), UntilEnding(*this), use_tuple);
  if (interrupted()) co_return interrupted();
  if (ec) co_return FlowError::downstream_gone;
  co_return Result<>();
}

Task<> Exchange::take_bounce() {
  end_.bounce = parse_bounce(up_.head().value(FieldKind::pilotlight_not_started));
  BodyScanner body(up_.head());
  const bool keep = up_.head().keep_alive;
  up_.in().consume(up_.head().text.size());
  std::size_t read = 0;
  while (!body.done() && read < kBounceBytesMax) {
    const Result<std::size_t> taken = body.scan(up_.in().view());
    if (!taken) co_return;
    up_.in().consume(*taken);
    read += *taken;
    if (body.done()) break;
    const Result<> more = co_await read_upstream();
    if (!more) co_return;
  }
  end_.keep_upstream = keep && body.done() && up_.in().empty();
}

Task<Result<>> Exchange::relay_answer() {
  const ResponseHead& head = up_.head();
  ResponseEdit edit;
  edit.plain = http10_ && head.framing == Framing::chunked;
  if (edit.plain || head.framing == Framing::until_close) keep_downstream_ = false;
  if (down_.last() || (body_ == Body::uploading && !request_body_.done())) keep_downstream_ = false;
  edit.close = !keep_downstream_;
  edit.keep_alive = http10_ && keep_downstream_;

  BodyScanner body(head);
  const bool keep = head.keep_alive;
  const std::size_t head_bytes = head.text.size();
  OutgoingHead& out = down_.outgoing();
  out.compose(head, edit);
  std::size_t early = 0;
  if (!edit.plain) {
    const Result<std::size_t> taken = body.scan(up_.in().view().substr(head_bytes));
    if (!taken) co_return FlowError::upstream_failed;
    early = *taken;
    out.append(up_.in().view().substr(head_bytes, early));
  }
  end_.answered = true;
  const auto [ec, n] =
      co_await asio::async_write(down_.stream(), out.buffers(), UntilEnding(*this), use_tuple);
  if (interrupted()) co_return interrupted();
  if (ec) co_return FlowError::downstream_gone;
  up_.in().consume(head_bytes + early);

  while (!body.done()) {
    if (up_.in().empty()) {
      const Result<> more = co_await read_upstream();
      if (!more) {
        if (interrupted()) co_return interrupted();
        if (body.framing() == Framing::until_close && more.error() == asio::error::eof) {
          co_return Result<>();
        }
        co_return FlowError::upstream_failed;
      }
    }
    std::string_view payload = up_.in().view();
    const Result<std::size_t> taken =
        edit.plain ? body.scan_payload(up_.in().view(), payload) : body.scan(up_.in().view());
    if (!taken) co_return FlowError::upstream_failed;
    if (!edit.plain) payload = payload.substr(0, *taken);
    const Result<> written = co_await write_downstream(payload);
    if (!written) co_return written;
    up_.in().consume(*taken);
  }
  // Bytes behind the answer: nobody asked for them.
  end_.keep_upstream = keep && up_.in().empty() && !body_may_stay_;
  co_return Result<>();
}

Task<Result<>> Exchange::tunnel() {
  keep_downstream_ = false;
  while (upload_running_) co_await upload_ended_->wait(TimePoint::max());  // its last write
  down_.enter_tunnel();
  OutgoingHead& out = down_.outgoing();
  ResponseEdit edit;
  out.compose(up_.head(), edit);
  const std::size_t head_bytes = up_.head().text.size();
  out.append(up_.in().view().substr(head_bytes));
  end_.answered = true;
  const auto [ec, n] =
      co_await asio::async_write(down_.stream(), out.buffers(), UntilEnding(*this), use_tuple);
  if (interrupted()) co_return interrupted();
  if (ec) co_return FlowError::downstream_gone;
  up_.in().consume(up_.in().size());

  upload_running_ = true;
  upload_ended_ = &down_.fresh_event();
  down_.parts().scope.spawn(tunnel_up());
  for (;;) {
    const Result<> more = co_await read_upstream();
    if (!more) {
      if (interrupted()) co_return interrupted();
      ErrorCode ignored;  // the client may be gone as well
      down_.stream().shutdown(tcp::socket::shutdown_send, ignored);
      co_await upload_ended_->wait(down_.parts().clock.now() + kTunnelEnd);
      if (more.error() == asio::error::eof) co_return Result<>();
      co_return FlowError::upstream_failed;
    }
    const Result<> written = co_await write_downstream(up_.in().view());
    if (!written) co_return written;
    up_.in().consume(up_.in().size());
  }
}

Task<> Exchange::tunnel_up() {
  ReadBuffer& in = down_.in();
  while (!upload_stopped_ && !interrupted()) {
    if (in.empty()) {
      const auto [ec, n] = co_await down_.stream().async_read_some(in.prepare(), use_tuple);
      if (ec) break;
      in.commit(n);
    }
    const auto [ec, n] = co_await asio::async_write(
        up_.stream(), asio::buffer(in.view().data(), in.size()), UntilEnding(*this), use_tuple);
    if (ec) break;
    in.consume(n);
  }
  ErrorCode ignored;  // the upstream may have closed first
  up_.stream().shutdown(tcp::socket::shutdown_send, ignored);
  upload_running_ = false;
  upload_ended_->set();
}

}  // namespace pilotlight::http
