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

/// Whether servers are known that answer such a request without looking at its body (CL.0): those
/// that expect none with its method, and those that were asked to refuse before it comes.
bool body_may_be_ignored(const RequestHead& head, const ExchangePlan& plan) noexcept {
  if (head.framing == Framing::none || plan.upstream_admits) return false;
  if (head.is_head || head.method == "GET") return true;
  return head.has(FieldKind::expect) && plan.edit.expect == ExpectEdit::keep;
}

/// How long a client may still send into a tunnel that the upstream has closed.
constexpr std::chrono::seconds kTunnelEnd{1};

/// A write that failed because the upstream reads no more, or has sent its FIN meanwhile. Its
/// answer may be here already (413, 401): that is read first.
bool ended_by_peer(const ErrorCode& error) noexcept {
  return error == asio::error::broken_pipe || error == asio::error::connection_reset ||
         error == asio::error::operation_aborted;
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
      body_may_stay_(body_may_be_ignored(down.head(), plan)),
      keep_downstream_(down.head().keep_alive) {
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
  down_.stream().cancel();
}

Task<ExchangeEnd> Exchange::run(FirstByteHook on_first_byte) {
  const Interruption::Target target(
      down_.interruption(), [](void* self) { static_cast<Exchange*>(self)->break_off(); }, this);
  up_.begin_request();
  Result<> step = interrupted() ? Result<>(interrupted()) : begin_request();
  if (step && !unsent_.empty()) step = co_await send_unsent_up();
  if (step && body_ == Body::uploading) start_upload(upload());

  bool answered = false;  // a final head is here
  while (step && !answered) {
    const Result<std::size_t> used = parse_response(up_.in().view(), to_head_request_, up_.head());
    if (!used) {
      step = FlowError::upstream_failed;
    } else if (*used == 0) {
      IoResult got;
      const auto room = up_.in().prepare();
      if (room.size() > 0) co_await up_.receive(room, got);
      step = room.size() > 0 ? received(got) : Result<>(FlowError::head_too_large);
    } else if (up_.head().status == 101 && !switches_as_asked()) {
      // A switch that nobody asked for would make everything behind it invisible to this hop.
      step = FlowError::upstream_failed;
    } else if (up_.head().interim() && up_.head().status != 101) {
      step = co_await pass_interim();
      if (step) up_.in().consume(*used);
    } else {
      answered = true;
    }
  }

  if (!step) {
    note_failure(step.error());
  } else if (bounced()) {
    co_await take_bounce();
  } else {
    if (on_first_byte.call != nullptr) on_first_byte.call(on_first_byte.context);
    step = begin_answer();
    if (step && !unsent_.empty()) step = co_await send_unsent_down();
    if (step && end_.status == 101) {
      step = co_await tunnel();
    } else if (step && !answer_body_.done()) {
      step = co_await relay_answer();
    }
    if (!step) end_.error = step.error();
  }
  if (upload_running_) co_await join_upload();
  co_return finish();
}

ExchangeEnd Exchange::finish() {
  // A body that was read to its end may still have lost its last bytes on the way up.
  const bool cut_short = body_ == Body::uploading && !upload_whole_;
  if (cut_short) keep_downstream_ = false;
  if (end_.error) {
    const ErrorCode cause = interrupted();
    if (cause) end_.error = cause;
  } else if (end_.answered && end_.status != 101) {
    // Bytes behind the answer: nobody asked for them.
    end_.keep_upstream = up_.head().keep_alive && up_.in().empty() && !body_may_stay_ && !cut_short;
  }
  if (end_.error || !keep_downstream_) down_.close_after();
  // What the app did not wait for still comes: closing on it would be a reset.
  if (!end_.error && (cut_short || body_ == Body::held)) down_.linger_after();
  return std::move(end_);
}

bool Exchange::bounced() const noexcept {
  return plan_.upstream_admits && up_.head().status == 503 &&
         up_.head().has(FieldKind::pilotlight_not_started);
}

void Exchange::note_failure(ErrorCode error) {
  end_.error = error;
  // Once bytes of the request have left the buffer it cannot be sent again.
  const bool peer_died = error != FlowError::bad_message && !interrupted();
  end_.not_started = peer_died && !released_ && up_.nothing_acknowledged();
}

Result<> Exchange::begin_request() {
  const Result<std::size_t> taken = request_body_.scan(down_.early_body());
  if (!taken) return taken.error();
  early_ = *taken;
  RequestEdit edit = plan_.edit;
  if (!request_body_.done()) {
    body_ = plan_.upstream_admits ? Body::held : Body::uploading;
    if (body_ == Body::held) edit.expect = ExpectEdit::add;
  } else if (plan_.upstream_admits) {
    edit.expect = ExpectEdit::cut;  // the body goes along: nobody has to ask for it
  }
  OutgoingHead& out = down_.parts().outgoing;
  out.compose(down_.head(), edit);
  if (body_ != Body::held) out.append(down_.early_body().substr(0, early_));
  const IoResult written = write_now(up_.stream(), out.first(), out.second());
  up_.sent(written.bytes);
  if (written.error) {
    return ended_by_peer(written.error) ? Result<>() : written.error;
  }
  if (written.bytes < out.size()) unsent_ = out.rest(written.bytes);
  upload_whole_ = body_ == Body::complete;
  return {};
}

Task<> Exchange::absorb_answer(TimePoint until) {
  std::optional<BodyScanner> rest;
  if (end_.answered) rest = answer_body_;
  return up_.absorb_answer(rest, to_head_request_, until);
}

Task<Result<>> Exchange::send_unsent_up() {
  const auto [ec, n] = co_await asio::async_write(
      up_.stream(), asio::buffer(unsent_.data(), unsent_.size()), UntilEnding(*this), use_tuple);
  up_.sent(n);
  if (n < unsent_.size()) upload_whole_ = false;
  unsent_.clear();
  if (interrupted()) co_return interrupted();
  if (ec && !ended_by_peer(ec)) co_return ec;
  co_return Result<>();
}

Task<Result<>> Exchange::send_unsent_down() {
  const Result<> written = co_await write_downstream(unsent_);
  unsent_.clear();
  if (written) down_.moved();
  co_return written;
}

Task<Result<>> Exchange::release_body() {
  if (client_waits_) {
    client_waits_ = false;
    const Result<> told = co_await write_downstream(kContinue);
    if (!told) co_return told;
  }
  body_ = Body::uploading;
  const ErrorCode ec = co_await write_upstream(down_.early_body().substr(0, early_));
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

/// Writes all of it, waiting only where the socket takes no more.
Task<ErrorCode> Exchange::write_upstream(std::string_view bytes) {
  const IoResult written = write_now(up_.stream(), bytes);
  up_.sent(written.bytes);
  if (written.error) co_return written.error;
  bytes.remove_prefix(written.bytes);
  if (bytes.empty()) co_return ErrorCode();
  const auto [ec, n] = co_await asio::async_write(
      up_.stream(), asio::buffer(bytes.data(), bytes.size()), UntilEnding(*this), use_tuple);
  up_.sent(n);
  if (!ec && n < bytes.size()) co_return asio::error::operation_aborted;
  co_return ec;
}

Task<> Exchange::upload() {
  ReadBuffer& in = down_.in();
  while (!request_body_.done() && !upload_stopped_ && !interrupted()) {
    if (in.empty()) {
      const ErrorCode ec = co_await down_.read_more();
      if (ec) {
        if (!upload_stopped_ && !interrupted()) down_.interruption().raise(Cause::left);
        break;
      }
    }
    const Result<std::size_t> taken = request_body_.scan(in.view());
    if (!taken) {
      // What the client frames wrongly must not reach the upstream as a whole request.
      end_.error = taken.error();
      break_off();
      break;
    }
    const ErrorCode ec = co_await write_upstream(in.view().substr(0, *taken));
    if (ec) break;  // the upstream reads no more; its answer may still come
    in.consume(*taken);
    upload_whole_ = request_body_.done();
  }
  upload_running_ = false;
  upload_ended_->set();
}

Task<> Exchange::join_upload() {
  upload_stopped_ = true;
  ErrorCode ignored;  // the pump ends either way
  down_.stream().cancel();
  up_.stream().cancel(ignored);
  while (upload_running_) co_await upload_ended_->wait(TimePoint::max());
}

Result<> Exchange::received(const IoResult& got) {
  if (interrupted()) return interrupted();
  if (end_.error) return end_.error;
  if (up_.retry(got)) return {};  // nothing was read; the caller reads again
  if (got.error) return got.error;
  up_.in().commit(got.bytes);
  return {};
}

Task<Result<>> Exchange::read_upstream() {
  if (interrupted()) co_return interrupted();
  if (end_.error) co_return end_.error;
  const auto room = up_.in().prepare();
  if (room.size() == 0) co_return FlowError::head_too_large;
  for (;;) {
    IoResult got;
    co_await up_.receive(room, got);
    const Result<> read = received(got);
    if (!read || got.bytes > 0) co_return read;
  }
}

Task<Result<>> Exchange::write_downstream(std::string_view bytes) {
  const IoResult now = down_.stream().write_now(bytes);
  if (now.error) co_return interrupted() ? interrupted() : ErrorCode(FlowError::downstream_gone);
  bytes.remove_prefix(now.bytes);
  if (bytes.empty()) co_return Result<>();
  const auto [ec, n] =
      co_await down_.stream().write(asio::buffer(bytes.data(), bytes.size()), UntilEnding(*this));
  if (interrupted()) co_return interrupted();
  if (ec || n < bytes.size()) co_return FlowError::downstream_gone;
  co_return Result<>();
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
  OutgoingHead& out = down_.parts().outgoing;
  out.compose(up_.head(), edit);
  const std::string bytes = out.rest(0);
  co_return co_await write_downstream(bytes);
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

Result<> Exchange::begin_answer() {
  const ResponseHead& head = up_.head();
  end_.status = head.status;
  if (!released_) {
    down_.release_request(early_);
    released_ = true;
  }
  const bool switching = head.status == 101;
  plain_ = http10_ && head.framing == Framing::chunked;
  // A body the upstream did not wait for: what follows on this connection cannot be trusted.
  if (body_ == Body::held || (body_ == Body::uploading && !request_body_.done()) || switching ||
      plain_ || head.framing == Framing::until_close || down_.last()) {
    keep_downstream_ = false;
  }
  ResponseEdit edit;
  edit.plain = plain_;
  edit.close = !keep_downstream_ && !switching;
  edit.keep_alive = http10_ && keep_downstream_;
  answer_body_ = BodyScanner(head);
  const std::string_view behind = up_.in().view().substr(head.text.size());
  OutgoingHead& out = down_.parts().outgoing;
  out.compose(head, edit);
  std::size_t early = 0;
  if (switching) {
    down_.enter_tunnel();
    early = behind.size();
  } else if (!plain_) {
    const Result<std::size_t> taken = answer_body_.scan(behind);
    if (!taken) return FlowError::upstream_failed;
    early = *taken;
  }
  out.append(behind.substr(0, early));
  end_.answered = true;
  up_.in().consume(head.text.size() + early);  // the bytes stay until more are read
  const IoResult written = down_.stream().write_now(out.first(), out.second());
  if (written.error) return FlowError::downstream_gone;
  if (written.bytes < out.size()) {
    unsent_ = out.rest(written.bytes);
  } else {
    down_.moved();
  }
  return {};
}

Task<Result<>> Exchange::relay_answer() {
  while (!answer_body_.done()) {
    if (up_.in().empty()) {
      const Result<> more = co_await read_upstream();
      if (!more) {
        if (interrupted()) co_return interrupted();
        if (answer_body_.framing() == Framing::until_close && more.error() == asio::error::eof) {
          co_return Result<>();
        }
        co_return FlowError::upstream_failed;
      }
    }
    std::string_view payload = up_.in().view();
    const Result<std::size_t> taken = plain_ ? answer_body_.scan_payload(up_.in().view(), payload)
                                             : answer_body_.scan(up_.in().view());
    if (!taken) co_return FlowError::upstream_failed;
    if (!plain_) payload = payload.substr(0, *taken);
    up_.in().consume(*taken);  // the bytes stay until more are read
    const Result<> written = co_await write_downstream(payload);
    if (!written) co_return written;
    down_.moved();
  }
  co_return Result<>();
}

Task<Result<>> Exchange::tunnel() {
  while (upload_running_) co_await upload_ended_->wait(TimePoint::max());  // its last write
  upload_running_ = true;
  upload_ended_ = &down_.fresh_event();
  down_.parts().scope.spawn(tunnel_up());
  for (;;) {
    const Result<> more = co_await read_upstream();
    if (!more) {
      if (interrupted()) co_return interrupted();
      ErrorCode ignored;  // the client may be gone as well
      if (more.error() == asio::error::eof) {
        co_await down_.stream().shutdown_send();
      } else {
        down_.stream().tcp().shutdown(tcp::socket::shutdown_send, ignored);
      }
      co_await upload_ended_->wait(down_.parts().clock.now() + kTunnelEnd);
      if (more.error() == asio::error::eof) co_return Result<>();
      co_return FlowError::upstream_failed;
    }
    const Result<> written = co_await write_downstream(up_.in().view());
    if (!written) co_return written;
    down_.moved();
    up_.in().consume(up_.in().size());
  }
}

Task<> Exchange::tunnel_up() {
  ReadBuffer& in = down_.in();
  while (!upload_stopped_ && !interrupted()) {
    if (in.empty()) {
      const ErrorCode ec = co_await down_.read_more();
      // An end of file passes through; anything else is a client that is gone.
      const bool gone = ec && ec != asio::error::eof && !upload_stopped_ && !interrupted();
      if (gone) down_.interruption().raise(Cause::left);
      if (ec) break;
    }
    const ErrorCode ec = co_await write_upstream(in.view());
    if (ec) break;
    down_.moved();
    in.consume(in.size());
  }
  ErrorCode ignored;  // the upstream may have closed first
  up_.stream().shutdown(tcp::socket::shutdown_send, ignored);
  upload_running_ = false;
  upload_ended_->set();
}

}  // namespace pilotlight::http
