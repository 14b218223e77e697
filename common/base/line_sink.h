#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace pilotlight {

/// Lines for a descriptor that may be slow or stuck: a pipe nobody reads, a full disk.
///
/// offer() never waits for it. What is not yet written is bounded; lines beyond the bound are
/// dropped and counted. A thread of its own writes, in the order of the calls, whole lines only
/// where the descriptor keeps them whole (up to 4,096 bytes at once). Thread-safe.
class LineSink {
 public:
  static constexpr std::size_t kBytesMax = 1024 * 1024;

  /// `descriptor` stays the caller's.
  explicit LineSink(int descriptor);
  /// Writes what the descriptor takes within a second, drops the rest.
  ~LineSink();
  LineSink(const LineSink&) = delete;
  LineSink& operator=(const LineSink&) = delete;

  /// Queues the line, to which a line feed is added. @return false when it was dropped.
  bool offer(std::string_view line);

  [[nodiscard]] std::uint64_t dropped() const noexcept {
    return dropped_.load(std::memory_order_relaxed);
  }

 private:
  void run();
  /// @return false when the sink is to end before all of it could be written.
  [[nodiscard]] bool write_all(std::string_view bytes);

  int descriptor_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string pending_;  // guarded by mutex_
  bool closing_ = false;
  std::atomic<bool> hurry_{false};
  std::atomic<std::uint64_t> dropped_{0};
  std::thread writer_;  // last: starts when the rest is there
};

}  // namespace pilotlight
