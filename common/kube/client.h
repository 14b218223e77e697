#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/system/result.hpp>

#include "common/control/client.h"
#include "common/kube/json.h"
#include "common/kube/resource.h"

namespace pilotlight::kube {

/// Where the API server is and who we are there.
struct Access {
  asio::ip::tcp::endpoint endpoint;
  std::string prefix;      ///< Before every path, without a slash at its end; usually "".
  std::string token_file;  ///< Read at first use and again after a 401; "" sends no token.
};

/// Reads "http://ip:port[/prefix]". The error says what was got and what is expected.
[[nodiscard]] boost::system::result<Access, std::string> parse_access(std::string_view url,
                                                                      std::string token_file);

/// Which objects of a collection. Both in Kubernetes' own syntax, "" for all.
struct Selector {
  std::string labels;
  std::string fields;
};

/// What came of a change of scale, for those who tell of it or try again.
struct ScaleAnswer {
  ErrorCode error;      ///< None: it was taken.
  unsigned status = 0;  ///< Of HTTP; 0 when no answer came.
  std::optional<std::chrono::seconds> retry_after;
  Json scale;  ///< The Scale object, or the server's Status.
};

/// How a patch is to be applied.
enum class PatchKind { merge, strategic, json };

/// Talks to a Kubernetes API server, real or the laptop's: narrow calls with JSON objects.
///
/// Every call but send_scale() opens a connection of its own (control path) and ends at its
/// deadline. Answers other
/// than 2xx are errors: not_found (404), conflict (409: stale resourceVersion, or already there),
/// gone (410), unauthorized (401, 403), else unexpected_status; the server's text is logged at
/// debug. An answer that is not JSON is bad_message. One shard.
class Client {
 public:
  Client(Executor executor, Clock& clock, Access access);

  [[nodiscard]] Task<Result<Json>> get(Resource resource, std::string space, std::string name,
                                       TimePoint deadline);
  /// @return the list object: {"metadata": {"resourceVersion"}, "items": [...]}. `space` "": all.
  [[nodiscard]] Task<Result<Json>> list(Resource resource, std::string space, Selector selector,
                                        TimePoint deadline);
  [[nodiscard]] Task<Result<Json>> create(Resource resource, std::string space, Json object,
                                          TimePoint deadline);
  /// Replaces the object of that name. With metadata.resourceVersion: only if it is still that one.
  [[nodiscard]] Task<Result<Json>> update(Resource resource, std::string space, Json object,
                                          TimePoint deadline);
  [[nodiscard]] Task<Result<Json>> patch(Resource resource, std::string space, std::string name,
                                         PatchKind kind, Json patch, TimePoint deadline);
  [[nodiscard]] Task<Result<Json>> remove(Resource resource, std::string space, std::string name,
                                          TimePoint deadline);

  /// The Scale object of a Deployment: {"spec": {"replicas"}, "status": {"replicas"}}.
  [[nodiscard]] Task<Result<Json>> get_scale(std::string space, std::string deployment,
                                             TimePoint deadline);
  /// Sets spec.replicas through the scale subresource. @return the Scale object.
  [[nodiscard]] Task<Result<Json>> patch_scale(std::string space, std::string deployment,
                                               std::int32_t replicas, TimePoint deadline);
  /// The same, with all that the server said, on a connection that is kept for the next one: as
  /// many are open as there were calls at once, and at most 16 stay.
  [[nodiscard]] Task<ScaleAnswer> send_scale(std::string space, std::string deployment,
                                             std::int32_t replicas, TimePoint deadline);

  /// Opens a watch on `stream`, from `resource_version` on, that the server ends after `seconds`.
  /// @return the errors above. Used by Watcher.
  [[nodiscard]] Task<Result<>> open_watch(control::LineStream& stream, Resource resource,
                                          std::string space, Selector selector,
                                          std::string resource_version, int seconds,
                                          TimePoint deadline);

  [[nodiscard]] Executor executor() const noexcept { return executor_; }

 private:
  [[nodiscard]] Task<Result<Json>> call(control::Ask what, TimePoint deadline);
  void prepare(control::Ask& what);
  void read_token();

  Executor executor_;
  Clock& clock_;
  Access access_;
  control::KeptConnections kept_;
  bool token_read_ = false;
  std::string token_;
};

/// The error that an HTTP status stands for; none for 2xx.
[[nodiscard]] ErrorCode error_of_status(unsigned status) noexcept;

}  // namespace pilotlight::kube
