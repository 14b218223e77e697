#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/system/errc.hpp>

#include "common/control/client.h"
#include "common/control/pool.h"
#include "common/kube/access.h"
#include "common/kube/json.h"
#include "common/kube/resource.h"

namespace pilotlight::kube {

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

/// How a patch is to be applied. `apply` is server-side apply: the object itself, as far as it is
/// ours, under the field manager "pilotlight", which takes over fields that others own.
enum class PatchKind { merge, strategic, json, apply };

/// The error of a 429: the server asks to be left alone for a while.
inline constexpr auto kThrottled = boost::system::errc::resource_unavailable_try_again;

/// A part of a list: {"metadata": {"resourceVersion", "continue"}, "items": [...]}.
struct Page {
  std::int64_t limit = 0;  ///< At most so many objects; 0 is all.
  std::string after;       ///< metadata.continue of the page before; "" begins.
};

/// Which lines of a container's log.
struct LogQuery {
  std::string container;
  bool follow = false;    ///< Go on with what comes.
  bool previous = false;  ///< Of the run before its last restart.
  std::optional<std::int64_t> since_seconds;
  std::string since;        ///< From that time on (RFC 3339), instead of since_seconds.
  bool timestamps = false;  ///< Each line begins with when it was written, and a space.
};

/// Talks to a Kubernetes API server, real or the laptop's: narrow calls with JSON objects.
///
/// Every call ends at its deadline and goes over one of at most `connections` that are kept.
/// Answers other than 2xx are errors: not_found (404), conflict (409: stale resourceVersion, or
/// already there), gone (410), kThrottled (429), unauthorized (401, 403), else unexpected_status;
/// the server's text is logged at debug. An answer that is not JSON is bad_message.
///
/// A server that says 429, or 5xx with Retry-After, has done nothing and is asked again at that
/// time, if that is before the deadline; changes of scale alone leave it to their caller. After a
/// 401 the token is read anew and the call repeated, once. One shard.
class Client {
 public:
  Client(Executor executor, Clock& clock, Access access, std::size_t connections = 32);

  /// One request and its answer, whatever its status; adds prefix, token and Accept. `what.target`
  /// is from path_of().
  [[nodiscard]] Task<Result<control::Answer>> send(control::Ask what, TimePoint deadline);

  [[nodiscard]] Task<Result<Json>> get(Resource resource, std::string space, std::string name,
                                       TimePoint deadline);
  /// @return the list object: {"metadata": {"resourceVersion"}, "items": [...]}. `space` "": all.
  [[nodiscard]] Task<Result<Json>> list(Resource resource, std::string space, Selector selector,
                                        TimePoint deadline);
  /// The same in parts. A page that follows one too old to go on from is gone (410).
  [[nodiscard]] Task<Result<Json>> list(Resource resource, std::string space, Selector selector,
                                        Page page, TimePoint deadline);
  [[nodiscard]] Task<Result<Json>> create(Resource resource, std::string space, Json object,
                                          TimePoint deadline);
  /// Replaces the object of that name. With metadata.resourceVersion: only if it is still that one.
  [[nodiscard]] Task<Result<Json>> update(Resource resource, std::string space, Json object,
                                          TimePoint deadline);
  /// With metadata.resourceVersion in the patch: only if the object is still that one.
  [[nodiscard]] Task<Result<Json>> patch(Resource resource, std::string space, std::string name,
                                         PatchKind kind, Json patch, TimePoint deadline);
  /// The same for a subresource, such as "status".
  [[nodiscard]] Task<Result<Json>> patch_part(Resource resource, std::string space,
                                              std::string name, std::string_view part,
                                              PatchKind kind, Json patch, TimePoint deadline);
  /// `options`: of delete_options(), or null for whichever object has that name.
  [[nodiscard]] Task<Result<Json>> remove(Resource resource, std::string space, std::string name,
                                          Json options, TimePoint deadline);

  /// The Scale object of a Deployment: {"spec": {"replicas"}, "status": {"replicas"}}.
  [[nodiscard]] Task<Result<Json>> get_scale(std::string space, std::string deployment,
                                             TimePoint deadline);
  /// Sets spec.replicas through the scale subresource. @return the Scale object.
  [[nodiscard]] Task<Result<Json>> patch_scale(std::string space, std::string deployment,
                                               std::int32_t replicas, TimePoint deadline);
  /// The same, with all that the server said.
  [[nodiscard]] Task<ScaleAnswer> send_scale(std::string space, std::string deployment,
                                             std::int32_t replicas, TimePoint deadline);

  /// Opens a watch on `stream`, from `resource_version` on, that the server ends after `seconds`.
  /// @return the errors above; what a refusal says of Retry-After is a header of the stream. Used
  /// by Watcher.
  [[nodiscard]] Task<Result<>> open_watch(control::LineStream& stream, Resource resource,
                                          std::string space, Selector selector,
                                          std::string resource_version, int seconds,
                                          TimePoint deadline);

  /// Opens the log of a container on `stream`. @return the errors above; the stream of a refusal
  /// is of no more use.
  [[nodiscard]] Task<Result<>> open_log(control::LineStream& stream, std::string space,
                                        std::string pod, LogQuery query, TimePoint deadline);

  /// What the server said with the newest refusal, at most 500 bytes of its Status' message; ""
  /// when it said nothing, or `why` is not the error of that refusal. To be asked for before the
  /// next call.
  [[nodiscard]] std::string refusal(const ErrorCode& why) const {
    return why == refused_as_ ? refusal_ : std::string();
  }

  [[nodiscard]] Executor executor() const noexcept { return executor_; }

 private:
  [[nodiscard]] Task<Result<Json>> call(control::Ask what, TimePoint deadline);
  [[nodiscard]] Task<Result<control::Answer>> exchange(control::Ask& what, TimePoint deadline);
  /// @return the status.
  [[nodiscard]] Task<Result<unsigned>> ask_stream(control::LineStream& stream, std::string target,
                                                  TimePoint deadline);
  [[nodiscard]] bool may_trust_anew(const ErrorCode& ec);
  void prepare(control::Ask& what);
  void read_token();
  void keep_refusal(const ErrorCode& why, std::string_view body);

  Executor executor_;
  Clock& clock_;
  Access access_;
  control::Pool pool_;
  std::optional<TimePoint> token_read_;
  std::string token_;
  ErrorCode refused_as_;
  std::string refusal_;
  std::string roots_;  // what ca_file held when it was looked at last
};

/// When a refused request may be tried again: Retry-After of a 429 or 5xx, in seconds; a 429 that
/// does not say is 1 s, one that says more than an hour is an hour. None for other answers.
[[nodiscard]] std::optional<std::chrono::seconds> retry_after(unsigned status,
                                                              std::string_view header);

/// The error that an HTTP status stands for; none for 2xx.
[[nodiscard]] ErrorCode error_of_status(unsigned status) noexcept;

}  // namespace pilotlight::kube
