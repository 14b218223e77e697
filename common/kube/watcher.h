#pragma once

#include <map>
#include <memory>
#include <random>
#include <string>

#include "common/kube/back_off.h"
#include "common/kube/client.h"

namespace pilotlight::kube {

/// Keeps an owner's picture of a collection equal to the server's: list, then watch, resumed after
/// each disconnect from the last resourceVersion, listed anew when that is too old (410, as a
/// status or as an ERROR event inside a 200).
///
/// The listener hears each change once: after a new list only what differs from what it knows. It
/// stays valid while the server is away: nothing is removed because a connection broke.
///
///     scope.spawn(watcher.run());   // ends when the scope is cancelled, or after close()
///
/// Keeps the last state of every object of the collection. One shard; must outlive run().
class Watcher {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    /// The object is new or has changed.
    virtual void applied(const Json& object) = 0;
    /// The object is gone; this is its last known state.
    virtual void removed(const Json& object) = 0;
    /// Everything that a list held has been told. After every list, the first one included.
    virtual void synced() {}
  };

  struct What {
    Resource resource;
    std::string space;  ///< Namespace; "" watches all.
    Selector selector;
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
  [[nodiscard]] Task<> pause();
  [[nodiscard]] Result<> take_line(const std::string& line);
  void reset(const Json& list);
  void apply(Key key, const Json& object);
  void drop(const Key& key, const Json& object);

  Client& client_;
  Clock& clock_;
  What what_;
  Listener& listener_;
  std::mt19937_64& random_;
  BackOff back_off_;
  std::unique_ptr<Timer> pause_;
  control::LineStream* stream_ = nullptr;  // the watch at hand, in the frame of watch()
  std::map<Key, Json> known_;
  std::string resource_version_;  // "": list first
  bool synced_ = false;
  bool closed_ = false;
};

}  // namespace pilotlight::kube
