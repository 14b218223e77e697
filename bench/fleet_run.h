#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <sys/types.h>

#include "bench/fleet.h"
#include "bench/fleet_api.h"

namespace pilotlight::bench {

/// One measurement of an autoscaler: everybody connects and reports; within the measured window
/// sleeping revisions are woken one at a time; then many at once; then as many at once while the
/// API fails one PATCH in four.
class FleetRun {
 public:
  struct Options {
    sockaddr_in api{};
    Fleet::Options fleet;
    double warm_up_seconds = 2;
    double seconds = 10;
    double pokes_per_second = 0;
    std::uint32_t wakes = 0;
    std::uint32_t failing_wakes = 0;
    std::uint32_t latency_us = 1000;
    unsigned core = 0;  ///< The autoscaler's, for bare trips.
  };

  explicit FleetRun(const Options& options);

  /// Says "serving", reads the autoscaler's process id from stdin, runs. @return what was measured.
  [[nodiscard]] nlohmann::json whole();
  /// Ends all connections.
  void end();

 private:
  /// What was asked of the autoscaler, and when.
  struct Asked {
    Fleet::Wake wake;
    TimePoint at{};
  };
  struct Poked {
    std::vector<Asked> asked;
    std::vector<double> bare;  // milliseconds of the bytes that went in turn with them
  };

  [[nodiscard]] std::uint32_t pokes() const;
  void begin();
  [[nodiscard]] nlohmann::json steady();
  [[nodiscard]] Poked poke_at_times();
  [[nodiscard]] nlohmann::json at_once(const std::string& kind, std::uint32_t count);
  [[nodiscard]] nlohmann::json settled(const std::vector<Asked>& asked, std::uint64_t taken_before);
  [[nodiscard]] nlohmann::json judge(const std::vector<Asked>& asked);
  [[nodiscard]] std::uint64_t unexpected();

  const Options& options_;
  FleetApi api_;
  Fleet fleet_;
  pid_t pid_ = 0;
  std::uint64_t resident_alone_ = 0;
};

}  // namespace pilotlight::bench
