#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <boost/system/result.hpp>

#include "common/kube/json.h"
#include "common/kube/resource.h"
#include "local/api/refusal.h"

namespace pilotlight::local {

using kube::Json;

/// A stored object. Immutable: a change makes a new one, so whoever holds it may keep it.
using Object = std::shared_ptr<const Json>;

/// The object as it is after the call, or why nothing was changed.
using Stored = boost::system::result<Object, Refusal>;

/// One change of one object.
struct Change {
  enum class Type { added, modified, deleted };

  Type type = Type::added;
  kube::Resource resource;
  std::uint64_t version = 0;  ///< The resourceVersion that this change made.
  Object object;              ///< As it is now; of a deleted one the last state.
  Object before;              ///< As it was; null when added.
};

/// The objects of the laptop's Kubernetes API, in memory: what etcd and the API server's registry
/// are to a cluster. Served over HTTP by ApiServer; the runtime's controllers use it directly.
///
/// Kinds: Namespace, Pod, Service, Event, Deployment, EndpointSlice, Lease (kube/resource.h names
/// them). It keeps uid, creationTimestamp, one global increasing resourceVersion, generation
/// (counts changes of spec), and refuses what Kubernetes refuses: 404, 409 (already there; a
/// metadata.resourceVersion that is not the stored one), 422. An object without resourceVersion is
/// written without that check. A write that changes nothing keeps the version and tells nobody.
///
/// Deleting: a Pod gets deletionTimestamp and deletionGracePeriodSeconds first; whoever runs it
/// calls remove() with grace 0 when its processes have ended. Everything else goes at once, but for
/// a Namespace that still has objects (403). Nothing is deleted with its owner: that is the
/// business of the owner's controller.
///
/// Listeners are called inside the call that changes, after the change is made, so a scale PATCH
/// has started its processes when it returns. They may write to the store: those changes are told
/// after the one at hand has been told to everyone, so all hear all changes in version order.
///
/// Bounds: 10,000 objects, a history of 1,000 changes. One shard. Every call is a map look-up plus
/// a copy of one object.
class ApiStore {
 public:
  using Listener = std::function<void(const Change&)>;

  /// Ends a subscription when destroyed. The store must outlive it.
  class [[nodiscard]] Subscription {
   public:
    Subscription() = default;
    Subscription(Subscription&& other) noexcept;
    Subscription& operator=(Subscription&& other) noexcept;
    ~Subscription();

   private:
    friend class ApiStore;
    Subscription(ApiStore& store, std::uint64_t id) : store_(&store), id_(id) {}

    ApiStore* store_ = nullptr;
    std::uint64_t id_ = 0;
  };

  /// How remove() deletes.
  struct Removal {
    std::optional<std::int64_t>
        grace_seconds;             ///< Pods: 0 removes now; none: the pod's own, or 30.
    std::string uid;               ///< Only if it is this one; "" for any.
    std::string resource_version;  ///< Only if it is this one; "" for any.
  };

  /// `seed` is for uids and generated names; versions start after `first_version`. A store made
  /// later should start higher (wall clock), so that its watchers' old versions are too old, not
  /// from the future.
  explicit ApiStore(std::uint64_t seed, std::uint64_t first_version = 0);
  ApiStore(const ApiStore&) = delete;
  ApiStore& operator=(const ApiStore&) = delete;

  /// The object, or null.
  [[nodiscard]] Object find(kube::Resource resource, std::string_view space,
                            std::string_view name) const;

  /// All objects of that kind in a namespace ("" for all), ordered by namespace and name.
  [[nodiscard]] std::vector<Object> list(kube::Resource resource, std::string_view space) const;

  /// Adds an object, status included. metadata.namespace defaults to "default" (a namespace that is
  /// not there is made), metadata.generateName gets five random characters, a Deployment's
  /// spec.replicas defaults to 1.
  Stored create(kube::Resource resource, Json object);

  /// Replaces the object of that namespace and name, except for what the store keeps itself. The
  /// status stays as it was for kinds that have the subresource.
  Stored update(kube::Resource resource, Json object);

  /// Replaces only `status`; the rest of `object` names which one, and maybe its resourceVersion.
  Stored update_status(kube::Resource resource, Json object);

  /// Sets `status` of an object, whatever its version: for the one controller that owns it.
  Stored set_status(kube::Resource resource, std::string_view space, std::string_view name,
                    Json status);

  /// Sets spec.replicas of a Deployment.
  Stored scale(std::string_view space, std::string_view deployment, std::int64_t replicas);

  /// Deletes; see the class comment. @return the last state.
  Stored remove(kube::Resource resource, std::string_view space, std::string_view name,
                const Removal& how);
  /// As above, with grace 0: gone when it returns.
  Stored remove_now(kube::Resource resource, std::string_view space, std::string_view name);

  /// Calls `listener` for every change from now on.
  Subscription subscribe(Listener listener);

  /// The newest resourceVersion.
  [[nodiscard]] std::uint64_t version() const noexcept { return version_; }

  /// The changes after `version`, oldest first, at most `limit`; none when the history (the last
  /// 1,000 changes) does not reach back so far, or `version` is not from this store.
  [[nodiscard]] std::optional<std::vector<Change>> changes_after(std::uint64_t version,
                                                                 std::size_t limit) const;

 private:
  static constexpr std::size_t kKinds = 8;
  static constexpr std::size_t kHistory = 1000;
  static constexpr std::size_t kMaxObjects = 10'000;
  using Objects = std::map<std::string, Object, std::less<>>;  // by "namespace/name"

  // Where an object is, or is to be.
  struct Place {
    const Kind* kind = nullptr;
    std::size_t index = 0;
    std::string space;
    std::string name;
    std::string key;
  };
  struct Listening {
    std::uint64_t id = 0;     // 0: ended while changes were told
    std::uint64_t after = 0;  // hears the changes after this version
    Listener listener;
  };

  [[nodiscard]] boost::system::result<Place, Refusal> locate(kube::Resource resource,
                                                             const Json& object);
  [[nodiscard]] Stored replace(const Place& place, Json object);
  [[nodiscard]] Stored put(const Place& place, Json object, const Object& before);
  Object erase(const Place& place, Json last, const Object& before);
  [[nodiscard]] bool has_objects(std::string_view space) const;
  void ensure_namespace(const std::string& space);
  [[nodiscard]] static std::string key_of(std::string_view space, std::string_view name);
  void tell(Change change);
  void unsubscribe(std::uint64_t id);
  [[nodiscard]] std::string new_uid();
  [[nodiscard]] std::string random_suffix();

  std::array<Objects, kKinds> objects_;
  std::deque<Change> history_;
  std::uint64_t version_;
  std::uint64_t forgotten_;  // the history holds every change after this version
  std::mt19937_64 random_;
  std::list<Listening> listeners_;
  std::uint64_t next_listener_ = 1;
  std::deque<Change> untold_;
  bool telling_ = false;
};

/// Now, or some seconds from now, as timestamps in objects are written: "2026-01-31T12:00:00Z".
[[nodiscard]] std::string timestamp(std::int64_t seconds_from_now = 0);

}  // namespace pilotlight::local
