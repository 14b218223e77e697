#pragma once

#include <cstdint>

#include "common/base/clock.h"

namespace pilotlight::activator {

/// How long a process that is to end goes on taking connections: until nobody has come for `quiet`,
/// since the nodes of a cluster learn one after the other that it leaves, and at most kLongest.
/// Pure.
class LameDuck {
 public:
  static constexpr Duration kLongest = std::chrono::seconds(30);

  /// `come` counts whoever has come so far: it only grows.
  LameDuck(Duration quiet, std::uint64_t come, TimePoint now)
      : quiet_(quiet), come_(come), last_(now), latest_(now + kLongest) {}

  /// Whether it is time to close. Ask several times per `quiet`.
  [[nodiscard]] bool over(std::uint64_t come, TimePoint now) noexcept {
    if (come != come_) last_ = now;
    come_ = come;
    return now - last_ >= quiet_ || now >= latest_;
  }

 private:
  Duration quiet_;
  std::uint64_t come_;
  TimePoint last_;
  TimePoint latest_;
};

}  // namespace pilotlight::activator
