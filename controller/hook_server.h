#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/log_limit.h"
#include "common/http/connection_set.h"
#include "common/http/server_connection.h"
#include "common/kube/json.h"
#include "common/net/listener.h"
#include "common/net/tls.h"

namespace pilotlight::controller {

/// The HTTPS port that the API server asks its webhooks at: JSON is posted, JSON is answered.
///
/// Until a certificate is shown it accepts nothing. A request has 10 s and 8 MiB, which no
/// admission review comes near, and the first one of a connection must begin within 10 s. Anybody
/// may connect, so that those who do and then say nothing must not keep out the API server: at the
/// limit the oldest of those ends for the newcomer who have never sent a head; else of those who
/// have, and are idle; else of those whose body is not here yet. What is whole is answered. One
/// shard.
class HookServer {
 public:
  /// The answer to what was posted to `path`; none: there is no such hook.
  using Answer =
      std::function<std::optional<kube::Json>(std::string_view path, const kube::Json& posted)>;

  static constexpr std::size_t kMostConnections = 256;  ///< At once.

  HookServer(http::ShardParts& parts, Answer answer);

  /// Binds. @return where (the port that was picked, if 0 was asked for).
  [[nodiscard]] Result<tcp::endpoint> bind(const tcp::endpoint& where);

  /// Shows this certificate from the next connection on; the first one opens the port.
  void show(std::shared_ptr<const TlsContext> context);
  [[nodiscard]] bool open() const noexcept { return context_ != nullptr; }

  /// Takes nothing new; what is being asked is still answered.
  void close() noexcept;
  void stop() noexcept;
  [[nodiscard]] bool idle() const noexcept { return connections_.empty(); }

 private:
  struct Asked {
    std::string path;
    std::string body;
    bool is_post = false;
    bool http10 = false;
    bool is_head = false;
  };

  void accept(TcpStream stream);
  [[nodiscard]] bool make_place() noexcept;
  [[nodiscard]] Task<> serve(Transport stream);
  [[nodiscard]] Task<Result<Asked>> read_request(http::ServerConnection& connection);
  [[nodiscard]] http::LocalReply reply_to(const Asked& asked) const;

  http::ShardParts& parts_;
  Answer answer_;
  Listener listener_;
  http::ConnectionSet connections_;
  http::ConnectionSet strangers_;  // of these: no head has come
  http::ConnectionSet idle_;       // they wait for the next one
  http::ConnectionSet sending_;    // the body is not whole
  LogLimit refused_{std::chrono::seconds(10)};
  std::shared_ptr<const TlsContext> context_;
};

}  // namespace pilotlight::controller
