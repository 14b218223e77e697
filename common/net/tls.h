#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <boost/system/result.hpp>

#include "common/net/tls_names.h"
#include "common/net/transport.h"

struct ssl_ctx_st;

namespace pilotlight {

/// Whom a client trusts, and what it shows of itself when it is asked.
struct TlsTrust {
  std::string roots;         ///< PEM, may be empty.
  bool system_roots = true;  ///< Besides `roots`.
  std::string certificate;   ///< PEM, its chain behind it; "" shows none.
  std::string key;           ///< PEM, of the certificate.
  TlsVersion least = TlsVersion::v1_2;
};

/// What every TLS connection of one kind shares: versions, suites, a certificate and its key, or
/// whom to trust. A snapshot: never changed, replaced as a whole. Connections keep what they need
/// of the one they began with. The first one made brings up OpenSSL, which costs about 2 MB once.
class TlsContext {
 public:
  /// A context, or why there is none.
  using Made = boost::system::result<std::shared_ptr<const TlsContext>, std::string>;

  /// For a server that shows this certificate (PEM, its chain behind it) and speaks HTTP/1.1.
  /// Clients that resume bring their state along (tickets): there is no session cache.
  [[nodiscard]] static Made server(const TlsSettings& settings, std::string_view certificate,
                                   std::string_view key);

  /// For a client that trusts the system's roots and those in `roots` (PEM, may be empty). As Go
  /// does: SSL_CERT_FILE and SSL_CERT_DIR replace the system's, TLS 1.2 is the least.
  [[nodiscard]] static Made client(std::string_view roots);
  [[nodiscard]] static Made client(const TlsTrust& trust);

  /// The server's side of `stream`; handshake() comes next.
  [[nodiscard]] Transport accept(TcpStream stream) const;

  /// The client's side of `stream`. The peer's certificate must be valid for `host`, a name or an
  /// address; else the handshake fails.
  [[nodiscard]] Transport connect(TcpStream stream, const std::string& host) const;

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const noexcept;
  };
  using Handle = std::unique_ptr<ssl_ctx_st, Free>;

  explicit TlsContext(Handle context) noexcept : context_(std::move(context)) {}

  Handle context_;
};

}  // namespace pilotlight
