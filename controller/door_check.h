#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/net/stream.h"

namespace pilotlight::controller {

/// Whether activators accept connections on the ports of Services.
///
/// A port that was open is not tried again. An activator that does not answer at all, as when its
/// node is gone, is tried once a second and not once for each Service: until then the answer is no,
/// at once. One shard.
class DoorCheck {
 public:
  /// Connects before the deadline, or says why not.
  using Dial = std::function<Task<Result<>>(tcp::endpoint where, TimePoint deadline)>;

  DoorCheck(Clock& clock, Dial dial) : clock_(clock), dial_(std::move(dial)) {}

  /// Suspends for 300 ms at the most.
  [[nodiscard]] Task<bool> open(std::string ip, std::uint16_t port);

  /// Forgets all activators but these.
  void keep(const std::set<std::string>& alive);
  /// No Service has the port any more: the activators close it, and it may become another one's.
  void forget(std::uint16_t port);

 private:
  Clock& clock_;
  Dial dial_;
  std::set<std::pair<std::string, std::uint16_t>> open_;
  std::map<std::string, TimePoint> silent_;  // and until when they are left alone
  std::uint64_t forgotten_ = 0;              // how often ports were
};

}  // namespace pilotlight::controller
