#pragma once

#include <cstddef>
#include <functional>
#include <thread>

#include "common/async/scope.h"
#include "common/base/system_clock.h"

namespace pilotlight {

/// One thread's worth of the program: an event loop, its clock, and the tasks that run there.
///
/// State made on a shard is touched on that shard only; other threads talk to it through post().
/// The shard is the strand. Start with run() on the calling thread or start() on one of its own.
class Shard {
 public:
  /// Who may call post() and stop(). With `own_thread` the loop takes no lock, which is worth it
  /// where it runs a request.
  enum class Posts : bool { any_thread, own_thread };

  explicit Shard(std::size_t index, Posts posts = Posts::any_thread)
      : index_(index),
        loop_(posts == Posts::own_thread ? BOOST_ASIO_CONCURRENCY_HINT_UNSAFE
                                         : BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO) {}
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  [[nodiscard]] std::size_t index() const noexcept { return index_; }
  [[nodiscard]] asio::io_context& loop() noexcept { return loop_; }
  [[nodiscard]] Executor executor() noexcept { return loop_.get_executor(); }
  [[nodiscard]] Clock& clock() noexcept { return clock_; }
  [[nodiscard]] Scope& scope() noexcept { return scope_; }

  /// Runs `what` on this shard, soon. Thread-safe, unless made with `own_thread`. What is posted
  /// after the loop has ended is dropped.
  void post(std::function<void()> what);

  /// Runs the loop on the calling thread until stop().
  void run();

  /// Runs the loop on a thread of its own until stop(), which joins it.
  void start();

  /// Lets the loop end by itself once nothing is left to do: every task has been told to end and
  /// unwinds. Call on the shard.
  void finish() { work_.reset(); }

  /// Ends the loop. Thread-safe, unless made with `own_thread`. The scope's tasks must have ended
  /// before the Shard is destroyed: cancel and join them on the shard first, then stop.
  void stop();

  /// Waits for the thread that start() made, if there is one.
  void join();

 private:
  using Work = asio::executor_work_guard<Executor>;

  std::size_t index_;
  // Only one thread runs it and starts I/O on it, so sockets need no lock.
  asio::io_context loop_;
  Work work_{loop_.get_executor()};
  SystemClock clock_{loop_};
  Scope scope_{loop_.get_executor()};
  std::thread thread_;
};

}  // namespace pilotlight
