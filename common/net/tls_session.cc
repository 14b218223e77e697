#include "common/net/tls_session.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "common/base/check.h"

namespace pilotlight {
namespace {

constexpr std::size_t kRecordBytes = SSL3_RT_MAX_PLAIN_LENGTH;

/// What Go's server says to a client that speaks plain HTTP to a TLS port.
constexpr std::string_view kPlainHttp =
    "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

class TlsCategory final : public boost::system::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "tls"; }
  [[nodiscard]] std::string message(int value) const override {
    const char* text = ERR_reason_error_string(static_cast<unsigned int>(value));
    return text == nullptr ? "TLS error" : text;
  }
};

bool would_block(int error) noexcept { return error == EAGAIN || error == EWOULDBLOCK; }

/// What one record carries: the bytes of `buffers` behind the first `skip`. One buffer is taken as
/// it is; several are copied together, so that a head and its body leave as one record.
std::span<const char> next_record(std::span<const asio::const_buffer> buffers, std::size_t skip,
                                  std::array<char, kRecordBytes>& room) noexcept {
  std::size_t filled = 0;
  for (std::size_t i = 0; i < buffers.size() && filled < room.size(); ++i) {
    if (skip >= buffers[i].size()) {
      skip -= buffers[i].size();
      continue;
    }
    const asio::const_buffer rest = buffers[i] + skip;
    skip = 0;
    const std::size_t n = std::min(rest.size(), room.size() - filled);
    if (filled == 0 && (i + 1 == buffers.size() || n == room.size())) {
      return std::span(static_cast<const char*>(rest.data()), n);
    }
    std::memcpy(room.data() + filled, rest.data(), n);
    filled += n;
  }
  return std::span(room.data(), filled);
}

}  // namespace

const boost::system::error_category& tls_category() noexcept {
  static const TlsCategory category;
  return category;
}

/// OpenSSL's view of the socket. Its own socket BIO would raise SIGPIPE.
struct TlsSession::Bio {
  static Socket& socket(BIO* bio) noexcept { return *static_cast<Socket*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* room, int size) {
    Socket& from = socket(bio);
    BIO_clear_retry_flags(bio);
    const ssize_t n = recv(from.descriptor, room, static_cast<std::size_t>(size), MSG_DONTWAIT);
    if (n == 0) from.ended = true;
    if (n < 0) fail(bio, from, &BIO_set_retry_read_flag);
    return static_cast<int>(n);
  }

  static int write(BIO* bio, const char* bytes, int size) {
    Socket& to = socket(bio);
    BIO_clear_retry_flags(bio);
    const ssize_t n =
        send(to.descriptor, bytes, static_cast<std::size_t>(size), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) fail(bio, to, &BIO_set_retry_write_flag);
    return static_cast<int>(n);
  }

  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_FLUSH) return 1;  // nothing is buffered here
    if (command == BIO_CTRL_EOF) return socket(bio).ended ? 1 : 0;
    return 0;
  }

  static const BIO_METHOD* method() {
    static const BIO_METHOD* made = make();
    return made;
  }

 private:
  static void BIO_set_retry_read_flag(BIO* bio) noexcept { BIO_set_retry_read(bio); }
  static void BIO_set_retry_write_flag(BIO* bio) noexcept { BIO_set_retry_write(bio); }

  static void fail(BIO* bio, Socket& on, void (*retry)(BIO*) noexcept) noexcept {
    if (would_block(errno) || errno == EINTR) {
      retry(bio);
    } else {
      on.error = errno;
    }
  }

  static const BIO_METHOD* make() {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    PILOTLIGHT_CHECK(made != nullptr);
    BIO_meth_set_read(made, &read);
    BIO_meth_set_write(made, &write);
    BIO_meth_set_ctrl(made, &control);
    return made;  // for the life of the process
  }
};

void TlsSession::Free::operator()(ssl_st* ssl) const noexcept { SSL_free(ssl); }

TlsSession::TlsSession(ssl_st* ssl, int descriptor) : socket_{descriptor}, ssl_(ssl) {
  BIO* bio = BIO_new(Bio::method());
  PILOTLIGHT_CHECK(ssl != nullptr && bio != nullptr);  // out of memory
  BIO_set_data(bio, &socket_);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
}

TlsSession::~TlsSession() = default;

/// Turns the result of an OpenSSL call into a step. Any other error than "not yet" is the end.
TlsSession::Step TlsSession::judge(int result) {
  Step step;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_NONE: return step;
    case SSL_ERROR_WANT_READ: step.need = Need::readable; return step;
    case SSL_ERROR_WANT_WRITE: step.need = Need::writable; return step;
    case SSL_ERROR_ZERO_RETURN: step.error = asio::error::eof; return step;
    case SSL_ERROR_SSL: {
      const unsigned long why = ERR_peek_error();
      step.error = ErrorCode(static_cast<int>(why), tls_category());
      if (ERR_GET_REASON(why) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        step.error = asio::error::connection_reset;
      }
      break;
    }
    default: step.error = asio::error::connection_reset; break;
  }
  if (socket_.error != 0) step.error = ErrorCode(socket_.error, boost::system::system_category());
  broken_ = true;
  return step;
}

TlsSession::Step TlsSession::handshake() {
  ERR_clear_error();
  const Step step = judge(SSL_do_handshake(ssl_.get()));
  if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST) {
    // Whether it arrives does not matter: the connection ends either way.
    send(socket_.descriptor, kPlainHttp.data(), kPlainHttp.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  return step;
}

TlsSession::Step TlsSession::read(asio::mutable_buffer room) {
  Step step;
  if (broken_) {
    step.error = asio::error::connection_reset;
    return step;
  }
  ERR_clear_error();
  std::size_t n = 0;
  const int result = SSL_read_ex(ssl_.get(), room.data(), room.size(), &n);
  step = judge(result);
  step.bytes = n;
  return step;
}

TlsSession::Step TlsSession::write(std::span<const asio::const_buffer> buffers, std::size_t skip) {
  Step step;
  if (broken_ || notified_) {
    step.error = asio::error::broken_pipe;
    return step;
  }
  std::array<char, kRecordBytes> room;
  const std::span<const char> record = next_record(buffers, skip, room);
  if (record.empty()) return step;
  ERR_clear_error();
  std::size_t n = 0;
  const int result = SSL_write_ex(ssl_.get(), record.data(), record.size(), &n);
  step = judge(result);
  step.bytes = n;
  writing_ = step.need != Need::nothing;
  return step;
}

TlsSession::Step TlsSession::close_notify() {
  Step step;
  if (broken_ || writing_ || SSL_in_init(ssl_.get()) != 0) {
    step.error = asio::error::broken_pipe;
    return step;
  }
  if (notified_) return step;
  ERR_clear_error();
  const int result = SSL_shutdown(ssl_.get());
  if (result < 0) step = judge(result);
  notified_ = step.need == Need::nothing;
  return step;
}

}  // namespace pilotlight
