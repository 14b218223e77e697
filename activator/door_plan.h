#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "activator/service_doors.h"
#include "common/kube/back_off.h"

namespace pilotlight::activator {

/// When which door is opened and closed. Pure.
///
/// A door that nobody wants any more stays open for `kLinger`: the nodes of a cluster learn one
/// after the other that a Service leads elsewhere, and until then their requests come here. It is
/// left at once: whoever comes is answered, and sent on his way. One that cannot be opened is tried
/// again after 100 ms doubling to 10 s.
class DoorPlan {
 public:
  static constexpr Duration kLinger = std::chrono::seconds(30);

  /// From here on these are the doors.
  void want(const Doors& doors, TimePoint now);

  struct Step {
    enum class Verb : std::uint8_t { open, rename, leave, close };
    Verb verb = Verb::open;
    std::uint16_t port = 0;
    std::string route;  ///< Of an open or renamed door.
  };
  /// What is to be done now, each step once. Say failed() for an open that did not work.
  [[nodiscard]] std::vector<Step> steps(TimePoint now);

  void failed(std::uint16_t port, TimePoint now, std::mt19937_64& random);

  /// When steps() has something to say; TimePoint::max() for not before the next call.
  [[nodiscard]] TimePoint next_due() const;

  [[nodiscard]] std::size_t open() const noexcept;

 private:
  struct Door {
    std::string route;
    std::string open_as;   // "" while closed
    bool leaving = false;  // as told, of an open one
    std::optional<TimePoint> unwanted_since;
    TimePoint due{};  // of the next attempt to open it
    kube::BackOff back_off{std::chrono::milliseconds(100), std::chrono::seconds(10)};
  };
  [[nodiscard]] TimePoint due_of(const Door& door) const;

  std::map<std::uint16_t, Door> doors_;
};

}  // namespace pilotlight::activator
