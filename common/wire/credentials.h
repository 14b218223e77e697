#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/base/error.h"
#include "common/net/tls.h"

namespace pilotlight::wire {

/// The name in the autoscaler's certificate. Clients connect to addresses, which come and go.
inline constexpr const char* kServerName = "pilotlight-autoscaler";

/// Where a client finds what it shows of itself, and whom it takes for the autoscaler. All empty:
/// the token of its HELLO, over plain TCP.
struct CredentialSources {
  std::string token_file;  ///< Read before each connect: tokens rotate.
  std::string ca;          ///< PEM; with it, or with `ca_file`, TLS is spoken.
  std::string ca_file;     ///< The same in a file, read before each connect.
};

/// A client's token and trust, as new as their files. There is a TLS context only where there is a
/// CA, and a new one only for a new CA. Never less than asked for: without a CA that works nothing
/// is sent. One shard.
class Credentials {
 public:
  explicit Credentials(CredentialSources sources);

  /// Looks at the files again: before each connect. What cannot be read or used stays as it was.
  void renew();

  /// What the token file says; none while it has said nothing yet, or there is no file.
  [[nodiscard]] const std::optional<std::string>& token() const noexcept { return token_; }

  /// The client's side of `stream`, which is open: with TLS if that was asked for, handshake() to
  /// come. @return what is wrong with the CA, if it cannot be made.
  [[nodiscard]] boost::system::result<Transport, std::string> wrap(TcpStream stream) const;

 private:
  void renew_token();
  void renew_trust();

  CredentialSources sources_;
  std::optional<std::string> token_;
  std::string ca_in_use_;
  std::shared_ptr<const TlsContext> tls_;
  std::string problem_ = "no CA yet";
};

}  // namespace pilotlight::wire
