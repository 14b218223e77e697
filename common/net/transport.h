#pragma once

#include <memory>
#include <span>
#include <tuple>

#include <boost/asio/write.hpp>

#include "common/base/error.h"
#include "common/net/direct_io.h"
#include "common/net/stream.h"

namespace pilotlight {

class TlsSession;

/// A TCP connection with TLS on top of it, or without: what a downstream connection reads and
/// writes.
///
/// Without TLS every operation is the TcpStream's own behind one branch: no frame, allocation or
/// system call more. With TLS an operation that finds its bytes ready does not suspend.
/// One read and one write may be under way at a time. Lives on one shard.
class Transport {
 public:
  /// What an operation gives, as with use_tuple: the error, and the bytes that went through.
  using Transfer = std::tuple<ErrorCode, std::size_t>;

  Transport(TcpStream tcp) noexcept;  // NOLINT(google-explicit-constructor): plain TCP is one
  Transport(TcpStream tcp, std::unique_ptr<TlsSession> tls) noexcept;
  ~Transport();
  Transport(Transport&&) noexcept;
  Transport& operator=(Transport&&) = delete;

  [[nodiscard]] bool secure() const noexcept { return tls_ != nullptr; }
  /// Whether handshake() has to come before anything else.
  [[nodiscard]] bool handshake_due() const noexcept { return handshake_due_; }
  [[nodiscard]] Task<ErrorCode> handshake();

  /// At least one byte, or an error. The end is asio::error::eof; with TLS only behind the peer's
  /// close_notify.
  [[nodiscard]] Task<Transfer> read_some(asio::mutable_buffer room) {
    if (tls_ == nullptr) return tcp_.async_read_some(room, use_tuple);
    return read_secure(room);
  }

  /// All of `buffers` (one, or several side by side), in one system call or one record where they
  /// fit. The buffers' list too must live until it has ended.
  template <class Buffers>
  [[nodiscard]] Task<Transfer> write(const Buffers& buffers) {
    if (tls_ == nullptr) return asio::async_write(tcp_, buffers, use_tuple);
    const auto* first = &*asio::buffer_sequence_begin(buffers);
    const auto count = asio::buffer_sequence_end(buffers) - asio::buffer_sequence_begin(buffers);
    return write_secure(
        std::span<const asio::const_buffer>(first, static_cast<std::size_t>(count)));
  }

  /// The same, for as long as `more` allows: it is asked between two steps, as Asio's completion
  /// conditions are.
  template <class Condition>
  [[nodiscard]] Task<Transfer> write(asio::const_buffer bytes, Condition more) {
    if (tls_ == nullptr) return asio::async_write(tcp_, bytes, more, use_tuple);
    return write_secure_while(bytes, more);
  }

  /// Writes what the socket takes now and never waits; nothing with TLS, where write() does it.
  [[nodiscard]] IoResult write_now(std::string_view first, std::string_view second = {}) noexcept {
    if (tls_ == nullptr) return pilotlight::write_now(tcp_, first, second);
    return IoResult();
  }

  /// Reads what has arrived and never waits: would_block when that is nothing. A socket without TLS
  /// must be non-blocking. With TLS, what has arrived is more than waiting for the socket shows:
  /// read until would_block before waiting.
  [[nodiscard]] IoResult read_now(asio::mutable_buffer room) noexcept;

  /// Writes what the socket takes now and never waits, also with TLS. Where that is not all of
  /// `bytes`, nothing else may be written: half a record may be out.
  [[nodiscard]] IoResult write_last(std::string_view bytes) noexcept;

  /// Nothing more will be written: close_notify where there is TLS, then a FIN. Does neither, with
  /// an error, when what was written is not the whole. Suspends only when the peer leaves no room
  /// for the close_notify.
  [[nodiscard]] Task<ErrorCode> shutdown_send();

  /// The close_notify alone, if there is TLS and room for it.
  void close_notify_now() noexcept;

  /// Makes the coming close a reset, and one without close_notify: no peer may take what it has got
  /// for the whole.
  void reset_on_close() noexcept;

  /// Ends what waits here, with operation_aborted. With TLS also what has waited and has not been
  /// told yet that it may go on: it could wait again. A plain write() of many steps needs its
  /// condition for that.
  void cancel() noexcept {
    ++cancels_;
    cancel_stream(&tcp_);
  }

  /// The connection below: for its addresses, its descriptor and for cancelling.
  [[nodiscard]] TcpStream& tcp() noexcept { return tcp_; }

 private:
  [[nodiscard]] Task<Transfer> read_secure(asio::mutable_buffer room);
  [[nodiscard]] Task<Transfer> write_secure(std::span<const asio::const_buffer> buffers);
  /// One record of what is behind the first `sent` bytes, to which its bytes are added.
  [[nodiscard]] Task<ErrorCode> write_record(std::span<const asio::const_buffer> buffers,
                                             std::size_t& sent);
  [[nodiscard]] Task<ErrorCode> wait(tcp::socket::wait_type what);

  template <class Condition>
  [[nodiscard]] Task<Transfer> write_secure_while(asio::const_buffer bytes, Condition more) {
    std::size_t sent = 0;
    ErrorCode ec;
    while (!ec && sent < bytes.size() && more(ec, sent) != 0) {
      ec = co_await write_record(std::span<const asio::const_buffer>(&bytes, 1), sent);
    }
    co_return Transfer(ec, sent);
  }

  TcpStream tcp_;
  std::unique_ptr<TlsSession> tls_;  // null: plain TCP
  unsigned cancels_ = 0;
  bool handshake_due_ = false;
};

/// The same for a Transport, where there may be TLS: the callback of an Interruption::Target.
inline void cancel_transport(void* transport) noexcept {
  static_cast<Transport*>(transport)->cancel();
}

}  // namespace pilotlight
