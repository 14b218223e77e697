// The bytes of an exchange in motion: bodies up and down, and tunnels.

#include <boost/asio/write.hpp>

#include "common/http/answer_fault.h"
#include "common/http/exchange.h"
#include "common/http/head_parser.h"

namespace pilotlight::http {
namespace {

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

}  // namespace

void Exchange::start_upload(Task<> task) {
  down_.release_request(early_);
  released_ = true;
  upload_running_ = true;
  upload_ended_ = &down_.fresh_event();
  down_.parts().scope.spawn(std::move(task));
}

/// Writes all of it, waiting only where the socket takes no more. An upstream that has sent its FIN
/// may read on: the cancel that makes a read look again then ends no write.
Task<ErrorCode> Exchange::write_upstream(std::string_view bytes) {
  for (;;) {
    const IoResult written = write_now(up_.stream(), bytes);
    up_.sent(written.bytes);
    if (written.error) co_return written.error;
    bytes.remove_prefix(written.bytes);
    if (bytes.empty()) co_return ErrorCode();
    const auto [ec, n] = co_await asio::async_write(
        up_.stream(), asio::buffer(bytes.data(), bytes.size()), UntilEnding(*this), use_tuple);
    up_.sent(n);
    bytes.remove_prefix(n);
    if (bytes.empty()) co_return ErrorCode();
    if (ending()) co_return asio::error::operation_aborted;
    if (ec != asio::error::operation_aborted) co_return ec;
  }
}

Task<> Exchange::upload(std::string unsent) {
  ErrorCode lost;
  if (!unsent.empty()) lost = co_await write_upstream(unsent);
  if (!lost) upload_whole_ = request_body_.done();
  ReadBuffer& in = down_.in();
  while (!lost && !request_body_.done() && !upload_stopped_ && !interrupted()) {
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
    lost = co_await write_upstream(in.view().substr(0, *taken));
    if (lost) break;  // the upstream reads no more; its answer may still come
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
    if (!taken) co_return AnswerFault::chunk;
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
