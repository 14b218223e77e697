#pragma once

#include <array>
#include <cassert>
#include <cstdint>
#include <span>

#include "common/metrics/cell.h"
#include "common/metrics/exposition.h"

namespace pilotlight {

/// Counts of whole numbers per bucket, with one writer, its shard. Bounds are in the unit that
/// observe() takes, rising, and must outlive it. Observing is a walk along the bounds and two adds.
class HistogramCells {
 public:
  static constexpr std::size_t kBoundsMax = 15;

  explicit HistogramCells(std::span<const std::uint64_t> bounds) : bounds_(bounds) {
    assert(bounds.size() <= kBoundsMax);
  }

  void observe(std::uint64_t value) noexcept {
    std::size_t bucket = 0;
    while (bucket < bounds_.size() && value > bounds_[bucket]) ++bucket;
    counts_[bucket].add();
    sum_.add(value);
  }

  /// For the scrape; one exposed unit is `unit` of ours: 1e6 shows microseconds as seconds.
  [[nodiscard]] HistogramSample sample(double unit, Labels labels) const;

 private:
  std::span<const std::uint64_t> bounds_;
  std::array<Cell, kBoundsMax + 1> counts_;
  Cell sum_;
};

}  // namespace pilotlight
