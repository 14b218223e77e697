#pragma once

#include <list>

#include <boost/asio/cancellation_signal.hpp>

#include "common/base/task.h"

namespace pilotlight {

/// Owns the background coroutines of one shard: the only place where co_spawn is called.
///
/// Nothing is detached. Whatever starts here can be asked to stop and can be waited for, so a shard
/// is destroyed only after the last frame that refers to it.
class Scope {
 public:
  explicit Scope(Executor executor) : executor_(executor), empty_(executor) {}
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  /// Starts `task` on this shard. An exception that leaves it is a bug and ends the process; the
  /// one that Asio throws into a cancelled task at its next co_await is its way out.
  void spawn(Task<> task);

  /// `total`: finish the request at hand, then stop. `terminal`: stop now. Call on this shard only;
  /// signals are not thread-safe.
  void cancel(asio::cancellation_type how);

  /// Suspends until every task has ended.
  [[nodiscard]] Task<> join();

  [[nodiscard]] std::size_t size() const noexcept { return tasks_.size(); }

 private:
  Executor executor_;
  std::list<asio::cancellation_signal> tasks_;
  std::list<asio::cancellation_signal> spare_;  // of tasks that have ended: used again
  ShardTimer empty_;  // never expires; cancelled when tasks_ becomes empty
};

}  // namespace pilotlight
