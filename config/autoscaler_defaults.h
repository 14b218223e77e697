#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/problems.h"
#include "config/string_map.h"

namespace pilotlight::config {

/// What holds for every revision that does not say otherwise: Knative's `config-autoscaler`.
/// A plain value. Two defaults are ours: target-burst-capacity, Knative's is 211,
/// and allow-zero-initial-scale, Knative's is false.
struct AutoscalerDefaults {
  bool scale_to_zero = true;                ///< enable-scale-to-zero; false is a floor of 1.
  bool allow_zero_initial_scale = true;     ///< allow-zero-initial-scale
  double target_ratio = 0.7;                ///< container-concurrency-target-percentage, in (0, 1].
  double concurrency_target = 100;          ///< container-concurrency-target-default
  double rps_target = 200;                  ///< requests-per-second-target-default
  double target_burst_capacity = -1;        ///< -1, or at least 0.
  std::chrono::seconds stable_window{60};   ///< [6 s, 1 h]
  double panic_window_percentage = 10;      ///< [1, 100]
  double panic_threshold_percentage = 200;  ///< Above 0.
  double max_scale_up_rate = 1000;          ///< Above 1.
  double max_scale_down_rate = 2;           ///< Above 1.
  std::chrono::milliseconds grace{30'000};  ///< scale-to-zero-grace-period, above 0.
  std::chrono::milliseconds retention{0};   ///< scale-to-zero-pod-retention-period
  std::chrono::seconds scale_down_delay{0};
  double activator_capacity = 100;  ///< At least 1.
  std::uint32_t initial_scale = 1;
  std::uint32_t min_scale = 0;
  std::optional<std::uint32_t> max_scale;        ///< max-scale; none (or "0") is no bound.
  std::optional<std::uint32_t> max_scale_limit;  ///< What a revision's max-scale may be at most.

  friend bool operator==(const AutoscalerDefaults&, const AutoscalerDefaults&) = default;
};

/// Reads the keys of a `config-autoscaler`; every problem at once, `where: key: got X, expected Y`.
/// An unknown key is a problem, one that begins with `_` (Knative's `_example`) is not looked at.
[[nodiscard]] Checked<AutoscalerDefaults> read_autoscaler_defaults(const StringMap& keys,
                                                                   std::string_view where);

/// The same from a YAML file: a ConfigMap, or just its keys; or from a folder with a file for each
/// key, as a ConfigMap is mounted (none: all as they are by default). Blocks; for start-up.
[[nodiscard]] Checked<AutoscalerDefaults> load_autoscaler_defaults(const std::string& path);

}  // namespace pilotlight::config
