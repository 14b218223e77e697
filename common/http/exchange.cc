#include "common/http/exchange.h"

#include <utility>

#include "common/http/answer_fault.h"
#include "common/http/head_parser.h"

namespace pilotlight::http {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

/// A bounce's own body: a line of text. More than this is not one of ours.
constexpr std::size_t kBounceBytesMax = 4096;

/// Whether servers are known that answer such a request without looking at its body (CL.0): those
/// that expect none with its method, and those that were asked to refuse before it comes.
bool body_may_be_ignored(const RequestHead& head, const ExchangePlan& plan) noexcept {
  if (head.framing == Framing::none || plan.upstream_admits) return false;
  if (head.is_head || head.method == "GET") return true;
  return head.has(FieldKind::expect) && plan.edit.expect == ExpectEdit::keep;
}

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

ErrorCode Exchange::interrupted() const noexcept { return down_.interruption().error(); }

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
  if (step && (body_ == Body::uploading || !unsent_.empty())) {
    start_upload(upload(std::exchange(unsent_, std::string())));
  }

  bool answered = false;  // a final head is here
  while (step && !answered) {
    const Result<std::size_t> used = parse_response(up_.in().view(), to_head_request_, up_.head());
    if (!used) {
      step = fault_of_head(up_.in().view(), up_.head(), used.error());
    } else if (*used == 0) {
      IoResult got;
      const auto room = up_.in().prepare();
      // Under TLS the upload may have failed already, without ever waiting.
      const bool ended = interrupted() || end_.error;
      if (room.size() > 0 && !ended) co_await up_.receive(room, got);
      step = room.size() > 0 ? received(got) : Result<>(AnswerFault::head_too_large);
      if (!step && step.error() == asio::error::eof) {
        step = up_.in().empty() ? AnswerFault::no_answer : AnswerFault::head_cut_short;
      }
    } else if (up_.head().status == 101 && !switches_as_asked()) {
      // A switch that nobody asked for would make everything behind it invisible to this hop.
      step = AnswerFault::unasked_switch;
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
  const bool sent_whole = body_ == Body::held || upload_whole_;
  if (cut_short) keep_downstream_ = false;
  if (end_.error) {
    const ErrorCode cause = interrupted();
    if (cause) end_.error = cause;
  } else if (end_.answered && end_.status != 101) {
    // Bytes behind the answer: nobody asked for them.
    end_.keep_upstream = up_.head().keep_alive && up_.in().empty() && !body_may_stay_ && sent_whole;
  }
  // A request that was not started is whole: it goes out again, and the next one can follow it.
  const bool failed = end_.error && !end_.not_started;
  if (failed || !keep_downstream_) down_.close_after();
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
  upload_whole_ = body_ == Body::complete && unsent_.empty();
  return {};
}

Task<> Exchange::absorb_answer(TimePoint until) {
  const Interruption::Target target(down_.interruption(), &end_stream, &up_.stream());
  if (down_.interruption().cause() == Cause::stopped) co_return;
  std::optional<BodyScanner> rest;
  if (end_.answered) rest = answer_body_;
  co_await up_.absorb_answer(rest, to_head_request_, until);
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
  const std::string_view early = down_.early_body().substr(0, early_);
  const IoResult written = write_now(up_.stream(), early);
  up_.sent(written.bytes);
  if (written.error && !ended_by_peer(written.error)) co_return written.error;
  start_upload(upload(std::string(early.substr(written.bytes))));
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
  // HTTP/1.0 knows no codings: not even a HEAD may speak of one.
  edit.plain = http10_ && head.has(FieldKind::transfer_encoding);
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
    if (!taken) return AnswerFault::chunk;
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

}  // namespace pilotlight::http
