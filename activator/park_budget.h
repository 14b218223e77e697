#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace pilotlight::activator {

/// Why a request may not wait, and not run either.
enum class Refusal : std::uint8_t {
  none,
  requests,        ///< As many of this revision wait as may.
  bytes,           ///< What of this revision waits takes as much memory as it may.
  requests_total,  ///< The same over all revisions.
  bytes_total,
  gone,  ///< The revision was deleted.
};

/// How much may wait. Zero is valid: nothing waits.
struct ParkLimits {
  std::size_t requests = 1000;          ///< Of one revision.
  std::size_t bytes = 64u << 20;        ///< Of one revision: buffers and unread kernel memory.
  std::size_t requests_total = 10'000;  ///< Of all revisions.
  std::size_t bytes_total = 256u << 20;
};

/// What waits in all revisions together: the one count that shards share. A newcomer never takes it
/// beyond its limits, not even for a moment; what comes back from a replica was let in before and
/// is counted only. Thread-safe; touched only by requests that have to wait.
class ParkBudget {
 public:
  explicit ParkBudget(const ParkLimits& limits) noexcept : limits_(limits) {}

  [[nodiscard]] Refusal take(std::size_t bytes) noexcept {
    if (!take(requests_, 1, limits_.requests_total)) return Refusal::requests_total;
    if (take(bytes_, bytes, limits_.bytes_total)) return Refusal::none;
    requests_.fetch_sub(1, std::memory_order_relaxed);
    return Refusal::bytes_total;
  }
  void take_again(std::size_t bytes) noexcept {
    requests_.fetch_add(1, std::memory_order_relaxed);
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
  }
  void give(std::size_t bytes) noexcept {
    requests_.fetch_sub(1, std::memory_order_relaxed);
    bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  }

  [[nodiscard]] const ParkLimits& limits() const noexcept { return limits_; }
  [[nodiscard]] std::size_t requests() const noexcept {
    return requests_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::size_t bytes() const noexcept {
    return bytes_.load(std::memory_order_relaxed);
  }

 private:
  static bool take(std::atomic<std::size_t>& used, std::size_t amount, std::size_t limit) noexcept {
    std::size_t now = used.load(std::memory_order_relaxed);
    do {
      if (amount > limit || now > limit - amount) return false;
    } while (!used.compare_exchange_weak(now, now + amount, std::memory_order_relaxed));
    return true;
  }

  ParkLimits limits_;
  std::atomic<std::size_t> requests_{0};
  std::atomic<std::size_t> bytes_{0};
};

}  // namespace pilotlight::activator
