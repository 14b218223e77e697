#include "common/net/transport.h"

#include <sys/socket.h>

#include "common/net/tls_session.h"

namespace pilotlight {
namespace {

tcp::socket::wait_type awaited(TlsSession::Need need) noexcept {
  return need == TlsSession::Need::writable ? tcp::socket::wait_write : tcp::socket::wait_read;
}

}  // namespace

Transport::Transport(TcpStream tcp) noexcept : tcp_(std::move(tcp)) {}

Transport::Transport(TcpStream tcp, std::unique_ptr<TlsSession> tls) noexcept
    : tcp_(std::move(tcp)), tls_(std::move(tls)), handshake_due_(true) {}

Transport::~Transport() = default;
Transport::Transport(Transport&&) noexcept = default;

Task<ErrorCode> Transport::handshake() {
  for (;;) {
    const TlsSession::Step step = tls_->handshake();
    if (step.need == TlsSession::Need::nothing) {
      handshake_due_ = static_cast<bool>(step.error);
      co_return step.error;
    }
    const ErrorCode ec = co_await wait(awaited(step.need));
    if (ec) co_return ec;
  }
}

Task<Transport::Transfer> Transport::read_secure(asio::mutable_buffer room) {
  for (;;) {
    const TlsSession::Step step = tls_->read(room);
    if (step.need == TlsSession::Need::nothing) co_return Transfer(step.error, step.bytes);
    const ErrorCode ec = co_await wait(awaited(step.need));
    if (ec) co_return Transfer(ec, 0);
  }
}

Task<Transport::Transfer> Transport::write_secure(std::span<const asio::const_buffer> buffers) {
  const std::size_t total = asio::buffer_size(buffers);
  std::size_t sent = 0;
  ErrorCode ec;
  while (!ec && sent < total) ec = co_await write_record(buffers, sent);
  co_return Transfer(ec, sent);
}

Task<ErrorCode> Transport::write_record(std::span<const asio::const_buffer> buffers,
                                        std::size_t& sent) {
  for (;;) {
    const TlsSession::Step step = tls_->write(buffers, sent);
    sent += step.bytes;
    if (step.need == TlsSession::Need::nothing) co_return step.error;
    const ErrorCode ec = co_await wait(awaited(step.need));
    if (ec) co_return ec;
  }
}

/// A cancel that comes between the end of the wait and its resumption finds nothing to cancel, but
/// is seen here.
Task<ErrorCode> Transport::wait(tcp::socket::wait_type what) {
  const unsigned cancels_before = cancels_;
  const auto [ec] = co_await tcp_.async_wait(what, use_tuple);
  co_return cancels_ == cancels_before ? ec : ErrorCode(asio::error::operation_aborted);
}

IoResult Transport::read_now(asio::mutable_buffer room) noexcept {
  IoResult got;
  if (tls_ == nullptr) {
    got.bytes = tcp_.read_some(asio::buffer(room), got.error);
    return got;
  }
  const TlsSession::Step step = tls_->read(room);
  got.bytes = step.bytes;
  got.error = step.error;
  if (step.need != TlsSession::Need::nothing) got.error = asio::error::would_block;
  return got;
}

IoResult Transport::write_last(std::string_view bytes) noexcept {
  if (tls_ == nullptr) return pilotlight::write_now(tcp_, bytes);
  IoResult out;
  const asio::const_buffer all = asio::buffer(bytes);
  while (!out.error && out.bytes < bytes.size()) {
    const TlsSession::Step step =
        tls_->write(std::span<const asio::const_buffer>(&all, 1), out.bytes);
    out.bytes += step.bytes;
    out.error = step.error;
    if (step.need != TlsSession::Need::nothing) break;
  }
  return out;
}

Task<ErrorCode> Transport::shutdown_send() {
  while (tls_ != nullptr) {
    const TlsSession::Step step = tls_->close_notify();
    if (step.error) co_return step.error;  // a FIN alone would look polite to a careless peer
    if (step.need == TlsSession::Need::nothing) break;
    const ErrorCode ec = co_await wait(awaited(step.need));
    if (ec) co_return ec;
  }
  ErrorCode ec;
  tcp_.shutdown(tcp::socket::shutdown_send, ec);
  co_return ec;
}

void Transport::close_notify_now() noexcept {
  if (tls_ != nullptr) static_cast<void>(tls_->close_notify());
}

void Transport::reset_on_close() noexcept {
  if (tls_ != nullptr) tls_->cut();
  // Not through Asio: an option that it knows of it takes back when the socket is destroyed.
  // Nothing to do about a failure: a connection that is gone needs no reset.
  const linger at_once{1, 0};
  setsockopt(tcp_.native_handle(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

}  // namespace pilotlight
