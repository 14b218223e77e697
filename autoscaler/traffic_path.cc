#include "autoscaler/traffic_path.h"

#include <algorithm>
#include <cmath>

namespace pilotlight::autoscaler {

std::int64_t activators_wanted(std::int32_t ready, double total, double target_burst_capacity,
                               double activator_capacity) noexcept {
  constexpr double kLeast = 2;
  constexpr double kMost = 1e6;
  if (target_burst_capacity == 0) return static_cast<std::int64_t>(kLeast);
  const double load = static_cast<double>(ready) * total + std::max(target_burst_capacity, 0.0);
  const double wanted = std::ceil(load / std::max(activator_capacity, 1.0));
  if (std::isnan(wanted)) return static_cast<std::int64_t>(kLeast);
  return static_cast<std::int64_t>(std::clamp(wanted, kLeast, kMost));
}

std::int64_t sample_size(std::int64_t replicas) noexcept {
  if (replicas <= 3) return std::max<std::int64_t>(replicas, 0);
  // 95 % confidence (1.96), a variance of 100, a margin of 5.
  constexpr double kCrowd = 1.96 * 1.96 * 100 / 25;
  const auto n = static_cast<double>(replicas);
  return static_cast<std::int64_t>(std::ceil(n * kCrowd / (n + kCrowd - 1)));
}

}  // namespace pilotlight::autoscaler
