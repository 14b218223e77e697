#pragma once

#include <thread>
#include <vector>

#include "bench/socket.h"
#include "common/base/clock.h"

namespace pilotlight::bench {

/// What the machine alone takes of a POKE's way to its PATCH: one byte over loopback TCP to a
/// thread on the autoscaler's core, and from there to a thread on ours that notes when it came. No
/// figure of an autoscaler can be below it, and both move with a noisy machine.
class BareTrips {
 public:
  /// `far_core` is where the byte turns round. Dies when that core may not be used.
  explicit BareTrips(unsigned far_core);
  ~BareTrips();
  BareTrips(const BareTrips&) = delete;
  BareTrips& operator=(const BareTrips&) = delete;

  /// Sends a byte. It is not waited for.
  void send();

  /// Ends the trips. @return milliseconds of each, in the order of send().
  [[nodiscard]] std::vector<double> finish();

 private:
  struct Link {
    Fd from;
    Fd to;
  };
  [[nodiscard]] static Link make_link();
  void turn_round(unsigned core);
  void note_arrivals();

  Link out_;
  Link back_;
  std::vector<TimePoint> sent_;
  std::vector<TimePoint> arrived_;  // of near_ until it has ended
  std::thread far_;
  std::thread near_;
};

}  // namespace pilotlight::bench
