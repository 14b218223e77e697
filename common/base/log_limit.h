#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "common/base/clock.h"

namespace pilotlight {

/// Lets one log line of a kind through in each period and counts the others, for lines that a peer
/// can cause. Pure.
class LogLimit {
 public:
  explicit LogLimit(Duration period = std::chrono::seconds(1)) noexcept : period_(period) {}

  /// @return how many were held back since the last one, if this line may be written; else none.
  [[nodiscard]] std::optional<std::uint64_t> pass(TimePoint now) noexcept {
    if (written_ && now - *written_ < period_) {
      ++held_back_;
      return std::nullopt;
    }
    written_ = now;
    return std::exchange(held_back_, 0);
  }

 private:
  Duration period_;
  std::optional<TimePoint> written_;
  std::uint64_t held_back_ = 0;
};

}  // namespace pilotlight
