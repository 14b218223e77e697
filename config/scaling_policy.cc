#include "config/scaling_policy.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "config/json_reader.h"
#include "config/scalars.h"

namespace pilotlight::config {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kPrefix = "autoscaling.knative.dev/";
constexpr double kLeastTarget = 0.01;
constexpr std::int64_t kMostReplicas = 1'000'000;

struct Key {
  std::string_view name;
  std::string_view alias;  ///< Knative's older spelling, or empty.
};

constexpr Key kClass{"class", ""};
constexpr Key kMetric{"metric", ""};
constexpr Key kTarget{"target", ""};
constexpr Key kUtilization{"target-utilization-percentage", "targetUtilizationPercentage"};
constexpr Key kBurst{"target-burst-capacity", "targetBurstCapacity"};
constexpr Key kMinScale{"min-scale", "minScale"};
constexpr Key kMaxScale{"max-scale", "maxScale"};
constexpr Key kInitialScale{"initial-scale", "initialScale"};
constexpr Key kActivationScale{"activation-scale", "activationScale"};
constexpr Key kWindow{"window", ""};
constexpr Key kPanicWindow{"panic-window-percentage", "panicWindowPercentage"};
constexpr Key kPanicThreshold{"panic-threshold-percentage", "panicThresholdPercentage"};
constexpr Key kDownDelay{"scale-down-delay", "scaleDownDelay"};
constexpr Key kRetention{"scale-to-zero-pod-retention-period", "scaleToZeroPodRetentionPeriod"};
constexpr Key kAggregation{"metric-aggregation-algorithm", "metricAggregationAlgorithm"};

constexpr std::array<Key, 15> kKeys = {kClass,           kMetric,    kTarget,      kUtilization,
                                       kBurst,           kMinScale,  kMaxScale,    kInitialScale,
                                       kActivationScale, kWindow,    kPanicWindow, kPanicThreshold,
                                       kDownDelay,       kRetention, kAggregation};

/// One pass over the annotations: typed values and the problems met.
class PolicyReader {
 public:
  PolicyReader(const StringMap& annotations, std::string_view where, Report& report,
               const AutoscalerDefaults& defaults)
      : annotations_(annotations),
        where_(where),
        report_(report),
        defaults_(defaults),
        policy_(default_policy(defaults)) {}

  ScalingPolicy read(std::uint32_t container_concurrency) {
    policy_.container_concurrency = container_concurrency;
    names();
    words();
    rates();
    times();
    bounds();
    ours();
    return policy_;
  }

 private:
  struct Found {
    std::string key;
    const std::string& value;
  };

  /// Ours stand on the object itself, wherever Knative's do.
  [[nodiscard]] std::string path(std::string_view key) const {
    constexpr std::string_view kTemplate = "spec.template.";
    const bool own = is_live_annotation(key) && where_.starts_with(kTemplate);
    return join(own ? where_.substr(kTemplate.size()) : where_, key);
  }

  void names() {
    for (const auto& [key, value] : annotations_) {
      if (!key.starts_with(kPrefix)) continue;
      const std::string_view name = std::string_view(key).substr(kPrefix.size());
      const auto same = [&](const Key& k) { return k.name == name || k.alias == name; };
      if (std::any_of(kKeys.begin(), kKeys.end(), same)) continue;
      std::string known;
      for (const Key& k : kKeys) known += fmt::format("{}{}", known.empty() ? "" : ", ", k.name);
      report_.wrong(path(key), "an unknown annotation",
                    fmt::format("{}<one of {}>", kPrefix, known));
    }
  }

  std::optional<Found> find(const Key& key) {
    const auto first = annotations_.find(fmt::format("{}{}", kPrefix, key.name));
    const auto second = key.alias.empty()
                            ? annotations_.end()
                            : annotations_.find(fmt::format("{}{}", kPrefix, key.alias));
    if (first != annotations_.end() && second != annotations_.end() &&
        first->second != second->second) {
      report_.wrong(
          path(second->first), in_quotes(second->second),
          fmt::format("{} as in its other spelling {}", in_quotes(first->second), first->first));
    }
    const auto found = first != annotations_.end() ? first : second;
    if (found == annotations_.end()) return std::nullopt;
    return Found{found->first, found->second};
  }

  void wrong(const Found& found, std::string_view expected) {
    report_.wrong(path(found.key), in_quotes(found.value), expected);
  }

  std::optional<double> number(const Key& key, double least, double most, std::string_view text) {
    const auto found = find(key);
    if (!found) return std::nullopt;
    const auto value = parse_number(found->value);
    if (value && *value >= least && *value <= most) return value;
    wrong(*found, text);
    return std::nullopt;
  }

  std::optional<std::uint32_t> count(const Key& key, std::int64_t least) {
    const auto found = find(key);
    if (!found) return std::nullopt;
    const auto value = parse_integer(found->value);
    if (value && *value >= least && *value <= kMostReplicas) {
      return static_cast<std::uint32_t>(*value);
    }
    wrong(*found, fmt::format("an integer in [{}, {}]", least, kMostReplicas));
    return std::nullopt;
  }

  std::optional<std::chrono::nanoseconds> time(const Key& key, std::chrono::seconds least,
                                               bool whole, std::string_view text) {
    const auto found = find(key);
    if (!found) return std::nullopt;
    const auto value = parse_duration(found->value);
    if (value && *value >= least && *value <= 1h && (!whole || *value % 1s == 0s)) return value;
    wrong(*found, text);
    return std::nullopt;
  }

  void words() {
    if (const auto found = find(kClass); found && found->value != "kpa.autoscaling.knative.dev") {
      wrong(*found, "kpa.autoscaling.knative.dev");
    }
    if (const auto found = find(kMetric)) {
      if (found->value == "rps") {
        policy_.metric = ScalingPolicy::Metric::rps;
      } else if (found->value != "concurrency") {
        wrong(*found, "concurrency or rps");
      }
    }
    if (const auto found = find(kAggregation)) {
      if (found->value == "weighted-exponential" || found->value == "weightedExponential") {
        policy_.aggregation = ScalingPolicy::Aggregation::weighted_exponential;
      } else if (found->value != "linear") {
        wrong(*found, "linear or weighted-exponential");
      }
    }
  }

  void rates() {
    constexpr double kMost = 1e9;
    policy_.target = number(kTarget, kLeastTarget, kMost, "a number in [0.01, 1000000000]");
    policy_.utilization_percent = number(kUtilization, 1, 100, "a number in [1, 100]");
    if (const auto found = find(kBurst)) {
      const auto value = parse_number(found->value);
      if (value && (*value == -1 || (*value >= 0 && *value <= kMost))) {
        policy_.target_burst_capacity = *value;
      } else {
        wrong(*found, "-1 or a number in [0, 1000000000]");
      }
    }
    policy_.panic_window_percentage = number(kPanicWindow, 1, 100, "a number in [1, 100]")
                                          .value_or(policy_.panic_window_percentage);
    policy_.panic_threshold_percentage =
        number(kPanicThreshold, 110, 1000, "a number in [110, 1000]")
            .value_or(policy_.panic_threshold_percentage);
  }

  void times() {
    using std::chrono::duration_cast;
    using std::chrono::seconds;
    if (const auto value = time(kWindow, 6s, true, "a duration of whole seconds in [6s, 1h]")) {
      policy_.stable_window = duration_cast<seconds>(*value);
    }
    if (const auto value = time(kDownDelay, 0s, true, "a duration of whole seconds in [0s, 1h]")) {
      policy_.scale_down_delay = duration_cast<seconds>(*value);
    }
    if (const auto value = time(kRetention, 0s, false, "a duration in [0s, 1h], like 30s")) {
      policy_.retention = duration_cast<std::chrono::milliseconds>(*value);
    }
  }

  void bounds() {
    const auto min = count(kMinScale, 0);
    const auto max = count(kMaxScale, 0);
    const auto activation = count(kActivationScale, 2);
    if (min) policy_.min_scale = *min;
    if (max) policy_.max_scale = *max == 0 ? std::nullopt : max;
    policy_.activation_scale = activation;
    const std::uint32_t least = defaults_.allow_zero_initial_scale ? 0 : 1;
    policy_.initial_scale = count(kInitialScale, least).value_or(policy_.initial_scale);

    const auto& limit = defaults_.max_scale_limit;
    if (max && limit && (*max == 0 || *max > *limit)) {
      wrong(*find(kMaxScale), fmt::format("an integer in [1, {}], the max-scale-limit", *limit));
    }
    const auto& most = policy_.max_scale;
    if (most && policy_.min_scale > *most && (min || max)) {
      if (min) {
        wrong(*find(kMinScale), fmt::format("at most max-scale, which is {}", *most));
      } else {
        wrong(*find(kMaxScale),
              fmt::format("at least min-scale, which is {} by default", policy_.min_scale));
      }
    }
    if (activation && most && *activation > *most) {
      wrong(*find(kActivationScale), fmt::format("at most max-scale, which is {}", *most));
    }
    if (activation && *activation < policy_.min_scale) {
      wrong(*find(kActivationScale),
            fmt::format("at least min-scale, which is {}", policy_.min_scale));
    }
  }

  /// Those without Knative's prefix.
  void ours() {
    const auto duration = [&](const char* key, std::chrono::nanoseconds unit,
                              std::string_view text) -> std::optional<std::chrono::nanoseconds> {
      const auto found = annotations_.find(key);
      if (found == annotations_.end()) return std::nullopt;
      const auto value = parse_duration(found->second);
      if (value && *value >= unit && *value <= 24h && *value % unit == 0ns) return value;
      report_.wrong(path(key), in_quotes(found->second), text);
      return std::nullopt;
    };
    if (const auto value =
            duration(kProgressDeadlineAnnotation, 1s, "a duration of whole seconds in [1s, 24h]")) {
      policy_.progress_deadline = std::chrono::duration_cast<std::chrono::seconds>(*value);
    }
    if (const auto value = duration(kParkedWaitAnnotation, 1ms,
                                    "a duration of whole milliseconds in [1ms, 24h]")) {
      policy_.target_parked_wait = std::chrono::duration_cast<std::chrono::milliseconds>(*value);
    }
    const auto floors = annotations_.find(kFloorAnnotation);
    if (floors == annotations_.end()) return;
    policy_.floors = read_floors(floors->second, path(kFloorAnnotation), report_);
    for (const Floor& floor : policy_.floors) {
      if (!policy_.max_scale || floor.replicas <= *policy_.max_scale) continue;
      report_.wrong(path(kFloorAnnotation), fmt::format("{} replicas", floor.replicas),
                    fmt::format("at most max-scale, which is {}", *policy_.max_scale));
    }
  }

  const StringMap& annotations_;
  std::string_view where_;
  Report& report_;
  const AutoscalerDefaults& defaults_;
  ScalingPolicy policy_;
};

}  // namespace

Checked<ScalingPolicy> read_scaling_policy(const StringMap& annotations,
                                           std::uint32_t container_concurrency,
                                           std::string_view where,
                                           const AutoscalerDefaults& defaults) {
  Report report;
  const ScalingPolicy policy =
      read_scaling_policy(annotations, container_concurrency, where, report, defaults);
  if (!report.problems().empty()) return report.problems();
  return policy;
}

ScalingPolicy read_scaling_policy(const StringMap& annotations, std::uint32_t container_concurrency,
                                  std::string_view where, Report& report,
                                  const AutoscalerDefaults& defaults) {
  return PolicyReader(annotations, where, report, defaults).read(container_concurrency);
}

bool is_live_annotation(std::string_view key) noexcept {
  return key == kFloorAnnotation || key == kParkedWaitAnnotation;
}

}  // namespace pilotlight::config
