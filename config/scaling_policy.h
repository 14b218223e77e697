#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/autoscaler_defaults.h"
#include "config/floor.h"
#include "config/problems.h"
#include "config/string_map.h"

namespace pilotlight::config {

class Report;

/// Ours, on the metadata of a Deployment or a Knative Service, where an edit makes no revision.
inline constexpr const char* kFloorAnnotation = "pilotlight.dev/floor";
inline constexpr const char* kParkedWaitAnnotation = "pilotlight.dev/target-parked-wait";
/// Knative's, of a revision.
inline constexpr const char* kProgressDeadlineAnnotation = "serving.knative.dev/progress-deadline";

/// How many replicas a revision may have and what each should carry: the
/// `autoscaling.knative.dev/*` annotations over the defaults (ours differ
/// where it says so). A plain value.
struct ScalingPolicy {
  enum class Metric : std::uint8_t { concurrency, rps };
  enum class Aggregation : std::uint8_t { linear, weighted_exponential };

  Metric metric = Metric::concurrency;        ///< metric
  std::optional<double> target;               ///< target: per replica, at least 0.01.
  std::optional<double> utilization_percent;  ///< target-utilization-percentage, [1, 100].
  /// target-burst-capacity: below 0 the activator always stays in the path, 0 never. Ours is -1
  /// where Knative's default is 211.
  double target_burst_capacity = -1;
  std::chrono::seconds stable_window{60};    ///< window, [6 s, 1 h].
  double panic_window_percentage = 10;       ///< [1, 100] of the stable window.
  double panic_threshold_percentage = 200;   ///< [110, 1000] of what the ready replicas carry.
  double max_scale_up_rate = 1000;           ///< Not an annotation.
  double max_scale_down_rate = 2;            ///< Not an annotation.
  std::chrono::seconds scale_down_delay{0};  ///< scale-down-delay, [0, 1 h].
  /// scale-to-zero-pod-retention-period: least time asleep-to-be before the last replica goes.
  std::chrono::milliseconds retention{0};
  std::chrono::milliseconds grace{30'000};  ///< Not an annotation: scale-to-zero-grace-period.
  bool scale_to_zero = true;                ///< Not an annotation: enable-scale-to-zero.
  /// serving.knative.dev/progress-deadline: for a woken replica to become ready.
  std::chrono::seconds progress_deadline{600};
  std::uint32_t initial_scale = 1;         ///< initial-scale; 0 is allowed with us.
  std::uint32_t min_scale = 0;             ///< min-scale
  std::optional<std::uint32_t> max_scale;  ///< max-scale; none (or "0") is no bound.
  std::optional<std::uint32_t>
      activation_scale;  ///< activation-scale: least count once awake, >= 2.
  Aggregation aggregation = Aggregation::linear;  ///< metric-aggregation-algorithm
  /// pilotlight.dev/target-parked-wait: a second signal, the longest wait for a permit.
  std::optional<std::chrono::milliseconds> target_parked_wait;
  std::vector<Floor> floors;                ///< pilotlight.dev/floor
  std::uint32_t container_concurrency = 0;  ///< Of the revision; 0 is no limit.

  double concurrency_default = 100;        ///< Total without a target, for concurrency.
  double rps_default = 200;                ///< Total without a target, for rps.
  double concurrency_ratio_default = 0.7;  ///< Utilization without its annotation.
  double activator_capacity = 100;         ///< Not an annotation: activator-capacity.

  /// What a replica can carry: target, or the concurrency limit, or the default (100, 200 for rps);
  /// never more than the limit.
  [[nodiscard]] double total_per_replica() const noexcept;
  /// What it should carry: total times utilization, at least 0.01.
  [[nodiscard]] double target_per_replica() const noexcept;
  /// max(1 s, the stable window's percentage rounded to whole seconds).
  [[nodiscard]] std::chrono::seconds panic_window() const noexcept;
  /// 2.0 by default.
  [[nodiscard]] double panic_threshold() const noexcept { return panic_threshold_percentage / 100; }
  /// Replicas at the start: max(initial, min), within max.
  [[nodiscard]] std::uint32_t start_scale() const noexcept;

  friend bool operator==(const ScalingPolicy&, const ScalingPolicy&) = default;
};

/// What holds without any annotation.
[[nodiscard]] ScalingPolicy default_policy(const AutoscalerDefaults& defaults);

/// Reads the autoscaling annotations among `annotations` (others are not looked at), camelCase
/// aliases included, over `defaults`. Pure but for the time zones of a floor, which the system has.
/// Every problem names its annotation, as `where[key]: got ...`, or `key: got ...` when `where` is
/// empty; unknown autoscaling annotations are problems too. On a live Deployment the caller keeps
/// the last good policy and logs the problems.
[[nodiscard]] Checked<ScalingPolicy> read_scaling_policy(
    const StringMap& annotations, std::uint32_t container_concurrency, std::string_view where = "",
    const AutoscalerDefaults& defaults = AutoscalerDefaults());

/// The same for a document that is being read: problems go to `report`, and the policy is only good
/// if there were none.
[[nodiscard]] ScalingPolicy read_scaling_policy(
    const StringMap& annotations, std::uint32_t container_concurrency, std::string_view where,
    Report& report, const AutoscalerDefaults& defaults = AutoscalerDefaults());

/// Whether an annotation is ours and belongs on the metadata of the Service or Deployment itself.
[[nodiscard]] bool is_live_annotation(std::string_view key) noexcept;

}  // namespace pilotlight::config
