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
  PolicyReader(const StringMap& annotations, std::string_view where, Report& report)
      : annotations_(annotations), where_(where), report_(report) {}

  ScalingPolicy read(std::uint32_t container_concurrency) {
    policy_.container_concurrency = container_concurrency;
    names();
    words();
    rates();
    times();
    bounds();
    return policy_;
  }

 private:
  struct Found {
    std::string key;
    const std::string& value;
  };

  [[nodiscard]] std::string path(std::string_view key) const { return join(where_, key); }

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
    wrong(*found, fmt::format("an integer of at least {}", least));
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
    policy_.target = number(kTarget, kLeastTarget, kMost, "a number of at least 0.01");
    policy_.utilization_percent = number(kUtilization, 1, 100, "a number in [1, 100]");
    if (const auto found = find(kBurst)) {
      const auto value = parse_number(found->value);
      if (value && (*value == -1 || (*value >= 0 && *value <= kMost))) {
        policy_.target_burst_capacity = *value;
      } else {
        wrong(*found, "-1 or a number of at least 0");
      }
    }
    policy_.panic_window_percentage =
        number(kPanicWindow, 1, 100, "a number in [1, 100]").value_or(10);
    policy_.panic_threshold_percentage =
        number(kPanicThreshold, 110, 1000, "a number in [110, 1000]").value_or(200);
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
    auto max = count(kMaxScale, 0);
    if (max == 0U) max.reset();
    const auto activation = count(kActivationScale, 2);
    policy_.min_scale = min.value_or(0);
    policy_.max_scale = max;
    policy_.initial_scale = count(kInitialScale, 0).value_or(1);
    policy_.activation_scale = activation;
    if (min && max && *min > *max) {
      wrong(*find(kMinScale), fmt::format("at most max-scale, which is {}", *max));
    }
    if (activation && max && *activation > *max) {
      wrong(*find(kActivationScale), fmt::format("at most max-scale, which is {}", *max));
    }
    if (activation && min && *activation < *min) {
      wrong(*find(kActivationScale), fmt::format("at least min-scale, which is {}", *min));
    }
  }

  const StringMap& annotations_;
  std::string_view where_;
  Report& report_;
  ScalingPolicy policy_;
};

}  // namespace

double ScalingPolicy::total_per_replica() const noexcept {
  constexpr double kConcurrencyDefault = 100;
  constexpr double kRpsDefault = 200;
  const double limit = container_concurrency;
  if (metric == Metric::rps) return target.value_or(kRpsDefault);
  if (!target) return container_concurrency == 0 ? kConcurrencyDefault : limit;
  return container_concurrency == 0 ? *target : std::min(*target, limit);
}

double ScalingPolicy::target_per_replica() const noexcept {
  constexpr double kDefaultPercent = 70;
  const double ratio = utilization_percent.value_or(kDefaultPercent) / 100;
  return std::max(kLeastTarget, total_per_replica() * ratio);
}

std::chrono::seconds ScalingPolicy::panic_window() const noexcept {
  const double exact = static_cast<double>(stable_window.count()) * panic_window_percentage / 100;
  return std::chrono::seconds(std::max(1LL, std::llround(exact)));
}

std::uint32_t ScalingPolicy::start_scale() const noexcept {
  const std::uint32_t asked = std::max(initial_scale, min_scale);
  return max_scale ? std::min(asked, *max_scale) : asked;
}

Checked<ScalingPolicy> read_scaling_policy(const StringMap& annotations,
                                           std::uint32_t container_concurrency,
                                           std::string_view where) {
  Report report;
  const ScalingPolicy policy =
      read_scaling_policy(annotations, container_concurrency, where, report);
  if (!report.problems().empty()) return report.problems();
  return policy;
}

ScalingPolicy read_scaling_policy(const StringMap& annotations, std::uint32_t container_concurrency,
                                  std::string_view where, Report& report) {
  return PolicyReader(annotations, where, report).read(container_concurrency);
}

}  // namespace pilotlight::config
