#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/http/server_connection.h"
#include "common/net/listener.h"
#include "common/net/tls_files.h"
#include "config/proxy_config.h"

namespace pilotlight::proxy {

/// The TLS port: hands over each connection with its handshake still to come. Exists only when a
/// certificate is mounted at the start; the plain port stays open beside it.
class TlsDoor {
 public:
  using OnConnection = std::function<void(Transport)>;

  TlsDoor(http::ShardParts& parts, const config::ProxyConfig& config, OnConnection on_connection);

  /// Loads the certificate and binds the port. @return what is wrong, or nothing.
  [[nodiscard]] std::optional<std::string> open();

  /// Accepts connections, and follows changes of the certificate, until stop().
  void start();

  /// Takes nothing new from here on.
  void close() noexcept { listener_.close(); }
  void stop() noexcept;

 private:
  http::ShardParts& parts_;
  tcp::endpoint where_;
  OnConnection on_connection_;
  TlsSettings settings_;
  TlsFiles files_;
  Listener listener_;
};

}  // namespace pilotlight::proxy
