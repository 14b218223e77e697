#pragma once

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>

#include "common/kube/back_off.h"
#include "common/kube/client.h"

namespace pilotlight::kube {

/// Keeps an owner's picture of a collection equal to the server's: list in pages, then watch,
/// resumed after each disconnect from the last resourceVersion (bookmarks keep it young), listed
/// anew when that is too old (410, as a status or as an ERROR event inside a 200). A server that
/// says when to come back (429, Retry-After) is obeyed.
///
/// The listener hears each change once: after a new list only what differs from what it knows. It
/// stays valid while the server is away: nothing is removed because a connection broke.
///
///     scope.spawn(watcher.run());   // ends when the scope is cancelled, or after close()
///
/// Keeps the metadata of every object of the collection, about 1 to 2 KiB each, and a page of the
/// list while it is read. One shard; must outlive run().
class Watcher {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    /// The object is new or has changed.
    virtual void applied(const Json& object) = 0;
    /// The object is gone; this is what is known of it: its metadata.
    virtual void removed(const Json& object) = 0;
    /// Everything that a list held has been told. After every list, the first one included.
    virtual void synced() {}
    /// A list or a watch was refused or broke; it is tried again, unless this calls close(). Not
    /// for a version that is too old: that is what a new list is for.
    virtual void failed(const ErrorCode& /*why*/) {}
  };

  struct What {
    Resource resource;
    std::string space;  ///< Namespace; "" watches all.
    Selector selector;

    /// Of every namespace, what has these labels; "": all of it.
    [[nodiscard]] static What all(const Resource& resource, std::string_view labels = {});
  };

  /// `random` jitters the back-off (20 ms doubling to 5 s).
  Watcher(Client& client, Clock& clock, What what, Listener& listener, std::mt19937_64& random);

  /// Watches until cancelled or closed. To be spawned on its own.
  [[nodiscard]] Task<> run();

  /// Ends run() soon.
  void close() noexcept;

  /// Whether a first list has been told.
  [[nodiscard]] bool synced() const noexcept { return synced_; }
  [[nodiscard]] std::size_t size() const noexcept { return known_.size(); }

 private:
  using Key = std::string;  // namespace/name

  [[nodiscard]] Task<Result<>> list();
  [[nodiscard]] Task<Result<>> watch();
  [[nodiscard]] Task<> pause(Duration length);
  [[nodiscard]] Result<> take_line(const std::string& line);
  [[nodiscard]] Duration pause_after(const Result<>& went);
  void forget_absent(const std::set<Key>& present);
  void apply(Key key, Json object);
  void drop(const Key& key);

  Client& client_;
  Clock& clock_;
  What what_;
  Listener& listener_;
  std::mt19937_64& random_;
  BackOff back_off_;
  std::unique_ptr<Timer> pause_;
  control::LineStream* stream_ = nullptr;  // the watch at hand, in the frame of watch()
  std::map<Key, Json> known_;              // {"metadata"} of each
  std::optional<Duration> asked_pause_;    // Retry-After of the last refusal
  std::string resource_version_;           // "": list first
  bool synced_ = false;
  bool closed_ = false;
};

}  // namespace pilotlight::kube
