#pragma once

#include <memory>
#include <string>

#include "common/control/server.h"
#include "local/api/store.h"

namespace pilotlight::local {

/// Serves an ApiStore as a Kubernetes API server would: JSON over HTTP/1.1 with get, list, watch,
/// create, update, patch (merge, strategic merge, JSON patch), delete, the subresources scale and
/// status, and discovery. Refuses by name what it does not do (server-side apply, dry run,
/// protobuf).
///
/// Credentials: `Authorization: Bearer <token>` or the path prefix `/t/<token>`; /healthz, /readyz,
/// /livez and /version need none. One shard, the store's.
class ApiServer {
 public:
  struct Options {
    std::string token;           ///< Who has it may do everything. Never empty.
    std::string version;         ///< Of pilotlight, shown by /version.
    control::Handler own_pages;  ///< Serves /pilotlight/..., path without /t/<token>; may be empty.
  };

  ApiServer(Executor executor, Clock& clock, ApiStore& store, Options options);
  ~ApiServer();
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  /// Binds and starts serving. @return where (the port that was picked, if 0 was asked for).
  [[nodiscard]] Result<control::Endpoint> listen(const control::Endpoint& where);

  /// Stops serving and ends every watch. Call before the destructor.
  [[nodiscard]] Task<> stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pilotlight::local
