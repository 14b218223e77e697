#pragma once

#include <map>

#include "common/http/upstream.h"

namespace pilotlight::activator {

/// Keep-alive connections of one shard to the sidecars, by address. A pool that nobody has used for
/// a while is closed, so that replicas that are gone leave nothing behind.
class Pools {
 public:
  explicit Pools(http::ShardParts& parts) : parts_(parts) {}

  /// One request's use of the pool of an address; the pool stays while one exists.
  class Use {
   public:
    Use(Pools& pools, const tcp::endpoint& address);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    [[nodiscard]] http::UpstreamPool& operator*() const noexcept { return entry_.pool; }
    [[nodiscard]] http::UpstreamPool* operator->() const noexcept { return &entry_.pool; }

   private:
    friend class Pools;
    struct Entry {
      Entry(http::ShardParts& parts, const http::UpstreamPool::Params& params)
          : pool(parts, params) {}
      http::UpstreamPool pool;
      std::size_t users = 0;
      TimePoint last_used{};
    };
    Pools& pools_;
    Entry& entry_;
  };

  /// Forgets pools unused for longer than a connection is kept anyway. Call every second or so.
  void sweep(TimePoint now);
  [[nodiscard]] std::size_t size() const noexcept { return pools_.size(); }
  void clear() noexcept;

 private:
  [[nodiscard]] Use::Entry& entry(const tcp::endpoint& address);

  http::ShardParts& parts_;
  std::map<tcp::endpoint, Use::Entry> pools_;
};

}  // namespace pilotlight::activator
