#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include <boost/asio/buffer.hpp>

#include "common/base/error.h"
#include "common/base/task.h"

struct ssl_st;

namespace pilotlight {

/// The TLS state of one connection: OpenSSL over the descriptor of its socket, never blocking.
///
/// Every call does what can be done now and says what to wait for when that is not all; the caller
/// waits and calls again with the same bytes. Reads and writes of one session may take turns
/// freely. Idle, it holds no buffers. Does not own the descriptor. Lives on one shard.
class TlsSession {
 public:
  enum class Need : std::uint8_t { nothing, readable, writable };

  /// How far one call came. `need` is nothing once it is over, for better or with an error.
  struct Step {
    Need need = Need::nothing;
    ErrorCode error;
    std::size_t bytes = 0;
  };

  /// Takes over `ssl`, whose role (server or client) has been set.
  TlsSession(ssl_st* ssl, int descriptor);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  [[nodiscard]] Step handshake();

  /// Reads what has arrived. Errors: eof behind the peer's close_notify, connection_reset for an
  /// end without one, or what went wrong.
  [[nodiscard]] Step read(asio::mutable_buffer room);

  /// Writes one record of at most 16 KiB: the bytes of `buffers` behind the first `skip`.
  [[nodiscard]] Step write(std::span<const asio::const_buffer> buffers, std::size_t skip);

  /// Says that nothing more comes. Not after an error, inside an unfinished write or after cut():
  /// then the peer must not take what it has for the whole.
  [[nodiscard]] Step close_notify();

  /// No close_notify from here on.
  void cut() noexcept { broken_ = true; }

 private:
  struct Socket {
    int descriptor;
    bool ended = false;
    int error = 0;
  };
  struct Bio;
  struct Free {
    void operator()(ssl_st* ssl) const noexcept;
  };

  [[nodiscard]] Step judge(int result);

  Socket socket_;
  std::unique_ptr<ssl_st, Free> ssl_;
  bool broken_ = false;    // an error has ended it: OpenSSL allows no further call
  bool writing_ = false;   // a record is only partly with the kernel
  bool notified_ = false;  // close_notify is out
};

/// The category of OpenSSL's own errors; its name is "tls".
[[nodiscard]] const boost::system::error_category& tls_category() noexcept;

}  // namespace pilotlight
