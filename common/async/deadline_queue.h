#pragma once

#include <cstddef>
#include <vector>

#include "common/base/clock.h"

namespace pilotlight {

class DeadlineQueue;

/// One instant at which its owner wants to be called: a connection's clock. Embedded in what it
/// belongs to. Setting it later, or clearing it, costs one store: the queue notices lazily. That
/// suits request clocks, which are set often and hardly ever come. Destroying it takes it out.
class Deadline {
 public:
  using Callback = void (*)(void* context);

  Deadline(DeadlineQueue& queue, Callback callback, void* context) noexcept
      : queue_(queue), callback_(callback), context_(context) {}
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  /// Calls back at `when` instead of at any instant set before. TimePoint::max() is never.
  void set(TimePoint when);
  void clear() noexcept { when_ = TimePoint::max(); }
  [[nodiscard]] TimePoint when() const noexcept { return when_; }

 private:
  friend class DeadlineQueue;
  static constexpr std::size_t kNotFiled = static_cast<std::size_t>(-1);

  DeadlineQueue& queue_;
  Callback callback_;
  void* context_;
  TimePoint when_ = TimePoint::max();   // what the owner wants
  TimePoint filed_ = TimePoint::max();  // where the heap has it: never later than when_
  std::size_t index_ = kNotFiled;
};

/// The deadlines of one shard: a binary heap that is touched when a deadline is set earlier than
/// it is filed, or comes up; a deadline that moved away meanwhile is then filed anew. Exact to the
/// instant. Pure: time is passed in.
class DeadlineQueue {
 public:
  DeadlineQueue() = default;
  DeadlineQueue(const DeadlineQueue&) = delete;
  DeadlineQueue& operator=(const DeadlineQueue&) = delete;

  /// Calls back everything that is due at `now`. Callbacks may set, clear and destroy deadlines.
  void advance(TimePoint now);

  /// When advance() has something to look at next; TimePoint::max() when nothing is filed.
  [[nodiscard]] TimePoint next() const noexcept {
    return heap_.empty() ? TimePoint::max() : heap_.front()->filed_;
  }

  /// Called when next() became earlier, so that who sleeps until next() can be woken.
  void on_earlier(Deadline::Callback callback, void* context) noexcept {
    earlier_ = callback;
    earlier_context_ = context;
  }

 private:
  friend class Deadline;

  void file(Deadline& deadline, TimePoint when);
  void remove(Deadline& deadline) noexcept;
  void place(Deadline* deadline, std::size_t index) noexcept;
  void sift_up(std::size_t index) noexcept;
  void sift_down(std::size_t index) noexcept;

  std::vector<Deadline*> heap_;
  Deadline::Callback earlier_ = nullptr;
  void* earlier_context_ = nullptr;
};

/// Runs a queue on a clock until cancelled. Spawn it once per shard; stop() ends it.
class DeadlineRunner {
 public:
  DeadlineRunner(DeadlineQueue& queue, Clock& clock);

  [[nodiscard]] Task<> run();
  void stop() noexcept;

 private:
  DeadlineQueue& queue_;
  Clock& clock_;
  std::unique_ptr<Timer> timer_;
  bool stopped_ = false;
};

}  // namespace pilotlight
