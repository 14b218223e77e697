#pragma once

#include <atomic>
#include <cstdint>

namespace pilotlight {

/// A number with one writer, its shard, and any number of readers, the scrapes. Because nobody
/// else writes it, an increment is a load, an add and a store: no lock prefix, no shared cache
/// line.
class Cell {
 public:
  void add(std::uint64_t n = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void sub(std::uint64_t n = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t read() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace pilotlight
