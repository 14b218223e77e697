#include "bench/line.h"

#include <cerrno>

#include <openssl/err.h>
#include <sys/socket.h>

namespace pilotlight::bench {
namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  ERR_print_errors_fp(stderr);
  die(what);
}

ssize_t moved_plain(ssize_t result) {
  const bool waits = errno == EAGAIN || errno == ENOTCONN;  // or is not connected yet
  return result < 0 && waits ? 0 : result == 0 ? -1 : result;
}

}  // namespace

Trust::Trust(const std::string& ca_file, std::string server_name)
    : context_(SSL_CTX_new(TLS_client_method())), server_name_(std::move(server_name)) {
  require(context_ != nullptr, "TLS");
  SSL_CTX_set_min_proto_version(context_.get(), TLS1_3_VERSION);
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                       SSL_MODE_RELEASE_BUFFERS);
  require(SSL_CTX_load_verify_locations(context_.get(), ca_file.c_str(), nullptr) == 1,
          ca_file.c_str());
}

SSL* Trust::client(int socket) const {
  SSL* tls = SSL_new(context_.get());
  require(tls != nullptr && SSL_set_fd(tls, socket) == 1 &&
              SSL_set1_host(tls, server_name_.c_str()) == 1 &&
              SSL_set_tlsext_host_name(tls, server_name_.c_str()) == 1,
          "TLS");
  SSL_set_connect_state(tls);
  return tls;
}

Line::Line(Fd socket, const Trust* trust) : socket_(std::move(socket)) {
  if (socket_ && trust != nullptr) tls_.reset(trust->client(socket_.get()));
}

ssize_t Line::send(std::span<const std::byte> bytes) {
  if (tls_) return moved(SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size())));
  return moved_plain(
      ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

ssize_t Line::receive(std::span<std::byte> room) {
  if (tls_) return moved(SSL_read(tls_.get(), room.data(), static_cast<int>(room.size())));
  return moved_plain(::recv(socket_.get(), room.data(), room.size(), MSG_DONTWAIT));
}

ssize_t Line::moved(int result) const {
  if (result > 0) return result;
  const int error = SSL_get_error(tls_.get(), result);
  // A socket that is still being connected reads as one that has nothing.
  const bool connecting = error == SSL_ERROR_SYSCALL && errno == ENOTCONN;
  ERR_clear_error();
  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE || connecting ? 0 : -1;
}

void Line::close() noexcept {
  tls_.reset();
  socket_.reset();
}

}  // namespace pilotlight::bench
