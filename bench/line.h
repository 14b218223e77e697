#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include <openssl/ssl.h>

#include "bench/socket.h"

namespace pilotlight::bench {

/// Whom the clients of a generator trust; speaks TLS 1.3.
class Trust {
 public:
  /// Dies when the file has no certificate.
  Trust(const std::string& ca_file, std::string server_name);

  /// A client's end, for a socket that does not block.
  [[nodiscard]] SSL* client(int socket) const;

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  std::unique_ptr<SSL_CTX, Free> context_;
  std::string server_name_;
};

/// A connection that does not block, with or without TLS.
class Line {
 public:
  Line() = default;
  explicit Line(Fd socket, const Trust* trust = nullptr);

  /// How many bytes went; 0: none now, the socket's next event says when; negative: it has ended.
  [[nodiscard]] ssize_t send(std::span<const std::byte> bytes);
  [[nodiscard]] ssize_t receive(std::span<std::byte> room);

  [[nodiscard]] const Fd& socket() const noexcept { return socket_; }
  explicit operator bool() const noexcept { return static_cast<bool>(socket_); }
  void close() noexcept;

 private:
  struct Free {
    void operator()(SSL* tls) const { SSL_free(tls); }
  };
  [[nodiscard]] ssize_t moved(int result) const;

  Fd socket_;
  std::unique_ptr<SSL, Free> tls_;
};

}  // namespace pilotlight::bench
