#pragma once

#include <memory>
#include <optional>
#include <string>

#include "autoscaler/gatekeeper.h"
#include "common/async/deadline_queue.h"
#include "common/kube/client.h"
#include "common/net/tls_files.h"
#include "common/wire/server.h"

namespace pilotlight::autoscaler {

/// What stands between the wire port and whoever connects: TLS with the certificate of a folder,
/// and the Gatekeeper with its questions to the API server. Either, both or, as on a laptop, none
/// of them; what is not asked for does not exist. One shard; outlives the wire::Server.
class WireDoor {
 public:
  struct Params {
    std::string tls_folder;  ///< With tls.crt and tls.key; "": plain TCP.
    bool review = false;     ///< Tokens are the API server's to judge.
    std::string own_space;   ///< Namespace of the activators.
    kube::Access kube;
  };

  WireDoor(Scope& scope, Executor executor, Clock& clock, Params params);
  ~WireDoor();
  WireDoor(const WireDoor&) = delete;
  WireDoor& operator=(const WireDoor&) = delete;

  /// Loads the certificate, if there is to be one. @return what is wrong with it, or nothing.
  [[nodiscard]] std::optional<std::string> open();

  /// Makes a Server stand behind this door; it accepts nothing before open().
  void guard(wire::ServerOptions& options);

  /// Follows changes of the certificate until stop(); `server` is the one behind this door, and
  /// turns out those who were admitted with an address that was not theirs.
  void start(wire::Server& server);
  void stop() noexcept;

  /// As the watch of pods tells.
  void pod_applied(const kube::Json& pod);
  void pod_removed(const kube::Json& pod);

  /// Null when nobody reviews tokens.
  [[nodiscard]] const TokenReviews* reviews() const noexcept;

 private:
  struct Review;

  Scope& scope_;
  DeadlineQueue deadlines_;
  DeadlineRunner deadline_runner_;
  std::unique_ptr<TlsFiles> files_;
  std::unique_ptr<Review> review_;
};

}  // namespace pilotlight::autoscaler
