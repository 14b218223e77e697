#include "config/scaling_policy.h"

#include <gtest/gtest.h>

namespace pilotlight::config {
namespace {

using namespace std::chrono_literals;

StringMap annotations(std::initializer_list<std::pair<std::string, std::string>> short_names) {
  StringMap out;
  for (const auto& [key, value] : short_names) out["autoscaling.knative.dev/" + key] = value;
  return out;
}

ScalingPolicy policy(std::initializer_list<std::pair<std::string, std::string>> short_names,
                     std::uint32_t concurrency = 0) {
  const auto result = read_scaling_policy(annotations(short_names), concurrency);
  EXPECT_TRUE(result) << result.error().front();
  return result ? *result : ScalingPolicy();
}

std::string problem(std::initializer_list<std::pair<std::string, std::string>> short_names) {
  const auto result = read_scaling_policy(annotations(short_names), 0);
  if (result) return "no problem";
  EXPECT_EQ(result.error().size(), 1U) << result.error().back();
  return result.error().front();
}

TEST(ScalingPolicy, DefaultsAreOurs) {
  const ScalingPolicy read = policy({});
  EXPECT_EQ(read, ScalingPolicy());
  EXPECT_EQ(read.target_burst_capacity, -1);
  EXPECT_EQ(read.initial_scale, 1U);
  EXPECT_EQ(read.stable_window, 60s);
  EXPECT_EQ(read.panic_window(), 6s);
  EXPECT_EQ(read.panic_threshold(), 2.0);
}

// From Knative's pkg/reconciler/autoscaling/resources/target_test.go.
TEST(ScalingPolicy, TargetsAreKnatives) {
  struct Row {
    StringMap annotations;
    std::uint32_t concurrency;
    double target;
    double total;
  };
  const Row rows[] = {
      {annotations({}), 0, 70, 100},
      {annotations({{"target-utilization-percentage", "75"}}), 12, 9, 12},
      {annotations({{"target-utilization-percentage", "80"}}), 1, 0.8, 1},
      {annotations({{"target-utilization-percentage", "100"}, {"target", "10"}}), 1, 1, 1},
      {annotations({{"target", "1"}, {"target-utilization-percentage", "1"}}), 0, 0.01, 1},
      {annotations({{"target", "0.01"}, {"target-utilization-percentage", "1"}}), 0, 0.01, 0.01},
      {annotations({{"metric", "rps"}}), 0, 140, 200},
      {annotations({{"metric", "rps"}, {"target", "300"}}), 10, 210, 300},
      {annotations({{"metric", "rps"}, {"target-utilization-percentage", "75"}}), 0, 150, 200},
  };
  for (const Row& row : rows) {
    const auto read = read_scaling_policy(row.annotations, row.concurrency);
    ASSERT_TRUE(read);
    EXPECT_DOUBLE_EQ(read->target_per_replica(), row.target);
    EXPECT_DOUBLE_EQ(read->total_per_replica(), row.total);
  }
}

TEST(ScalingPolicy, EveryAnnotationIsRead) {
  const ScalingPolicy read = policy({{"class", "kpa.autoscaling.knative.dev"},
                                     {"metric", "concurrency"},
                                     {"target", "2.5"},
                                     {"target-utilization-percentage", "90"},
                                     {"target-burst-capacity", "0"},
                                     {"min-scale", "2"},
                                     {"max-scale", "8"},
                                     {"initial-scale", "0"},
                                     {"activation-scale", "3"},
                                     {"window", "1m30s"},
                                     {"panic-window-percentage", "20.0"},
                                     {"panic-threshold-percentage", "150"},
                                     {"scale-down-delay", "15m"},
                                     {"scale-to-zero-pod-retention-period", "1m5.5s"},
                                     {"metric-aggregation-algorithm", "weighted-exponential"}},
                                    4);
  ScalingPolicy wanted;
  wanted.target = 2.5;
  wanted.utilization_percent = 90;
  wanted.target_burst_capacity = 0;
  wanted.min_scale = 2;
  wanted.max_scale = 8;
  wanted.initial_scale = 0;
  wanted.activation_scale = 3;
  wanted.stable_window = 90s;
  wanted.panic_window_percentage = 20;
  wanted.panic_threshold_percentage = 150;
  wanted.scale_down_delay = 15min;
  wanted.retention = 65'500ms;
  wanted.aggregation = ScalingPolicy::Aggregation::weighted_exponential;
  wanted.container_concurrency = 4;
  EXPECT_EQ(read, wanted);
  EXPECT_EQ(read.panic_window(), 18s);
}

TEST(ScalingPolicy, OlderSpellingsMeanTheSame) {
  EXPECT_EQ(policy({{"minScale", "2"}, {"maxScale", "3"}, {"initialScale", "2"}}),
            policy({{"min-scale", "2"}, {"max-scale", "3"}, {"initial-scale", "2"}}));
  EXPECT_EQ(policy({{"metric-aggregation-algorithm", "weightedExponential"}}).aggregation,
            ScalingPolicy::Aggregation::weighted_exponential);
  EXPECT_EQ(problem({{"min-scale", "2"}, {"minScale", "3"}}),
            "autoscaling.knative.dev/minScale: got \"3\", expected \"2\" as in its other spelling "
            "autoscaling.knative.dev/min-scale");
}

TEST(ScalingPolicy, MaxScaleZeroIsNoBound) {
  EXPECT_FALSE(policy({{"max-scale", "0"}, {"min-scale", "5"}}).max_scale);
}

TEST(ScalingPolicy, StartsWithInitialOrMinWithinMax) {
  EXPECT_EQ(policy({}).start_scale(), 1U);
  EXPECT_EQ(policy({{"initial-scale", "0"}}).start_scale(), 0U);
  EXPECT_EQ(policy({{"initial-scale", "0"}, {"min-scale", "2"}}).start_scale(), 2U);
  EXPECT_EQ(policy({{"initial-scale", "5"}, {"max-scale", "3"}}).start_scale(), 3U);
}

TEST(ScalingPolicy, OthersAnnotationsAreNotLookedAt) {
  const auto read = read_scaling_policy({{"example.com/min-scale", "x"}}, 0);
  EXPECT_TRUE(read);
}

TEST(ScalingPolicy, EachBoundHasItsMessage) {
  const std::string k = "autoscaling.knative.dev/";
  EXPECT_EQ(problem({{"metric", "happiness"}}),
            k + "metric: got \"happiness\", expected concurrency or rps");
  EXPECT_EQ(problem({{"class", "hpa.autoscaling.knative.dev"}}),
            k + "class: got \"hpa.autoscaling.knative.dev\", expected kpa.autoscaling.knative.dev");
  EXPECT_EQ(problem({{"target", "0.009"}}),
            k + "target: got \"0.009\", expected a number in [0.01, 1000000000]");
  EXPECT_EQ(problem({{"target-utilization-percentage", "101"}}),
            k + "target-utilization-percentage: got \"101\", expected a number in [1, 100]");
  EXPECT_EQ(problem({{"target-burst-capacity", "-0.5"}}),
            k + "target-burst-capacity: got \"-0.5\", expected -1 or a number in [0, 1000000000]");
  EXPECT_EQ(problem({{"window", "5s"}}),
            k + "window: got \"5s\", expected a duration of whole seconds in [6s, 1h]");
  EXPECT_EQ(problem({{"window", "6500ms"}}),
            k + "window: got \"6500ms\", expected a duration of whole seconds in [6s, 1h]");
  EXPECT_EQ(problem({{"window", "soon"}}),
            k + "window: got \"soon\", expected a duration of whole seconds in [6s, 1h]");
  EXPECT_EQ(problem({{"panic-window-percentage", "0.5"}}),
            k + "panic-window-percentage: got \"0.5\", expected a number in [1, 100]");
  EXPECT_EQ(problem({{"panic-threshold-percentage", "109"}}),
            k + "panic-threshold-percentage: got \"109\", expected a number in [110, 1000]");
  EXPECT_EQ(problem({{"scale-down-delay", "61m"}}),
            k + "scale-down-delay: got \"61m\", expected a duration of whole seconds in [0s, 1h]");
  EXPECT_EQ(problem({{"scale-to-zero-pod-retention-period", "-1s"}}),
            k + "scale-to-zero-pod-retention-period: got \"-1s\", expected a duration in [0s, 1h], "
                "like 30s");
  EXPECT_EQ(problem({{"metric-aggregation-algorithm", "mean"}}),
            k + "metric-aggregation-algorithm: got \"mean\", expected linear or "
                "weighted-exponential");
  EXPECT_EQ(problem({{"min-scale", "-1"}}),
            k + "min-scale: got \"-1\", expected an integer in [0, 1000000]");
  EXPECT_EQ(problem({{"initial-scale", "1.5"}}),
            k + "initial-scale: got \"1.5\", expected an integer in [0, 1000000]");
  EXPECT_EQ(problem({{"activation-scale", "1"}}),
            k + "activation-scale: got \"1\", expected an integer in [2, 1000000]");
  EXPECT_EQ(problem({{"min-scale", "5"}, {"max-scale", "2"}}),
            k + "min-scale: got \"5\", expected at most max-scale, which is 2");
  EXPECT_EQ(problem({{"activation-scale", "5"}, {"max-scale", "2"}}),
            k + "activation-scale: got \"5\", expected at most max-scale, which is 2");
  EXPECT_EQ(problem({{"activation-scale", "2"}, {"min-scale", "3"}}),
            k + "activation-scale: got \"2\", expected at least min-scale, which is 3");
}

TEST(ScalingPolicy, AnUnknownAnnotationIsAProblemThatListsTheKnown) {
  EXPECT_EQ(problem({{"max-scales", "2"}}),
            "autoscaling.knative.dev/max-scales: got an unknown annotation, expected "
            "autoscaling.knative.dev/<one of class, metric, target, target-utilization-percentage, "
            "target-burst-capacity, min-scale, max-scale, initial-scale, activation-scale, window, "
            "panic-window-percentage, panic-threshold-percentage, scale-down-delay, "
            "scale-to-zero-pod-retention-period, metric-aggregation-algorithm>");
}

TEST(ScalingPolicy, AllProblemsComeAtOnceWithWhereTheyAre) {
  const auto read =
      read_scaling_policy(annotations({{"min-scale", "x"}, {"window", "y"}}), 0, "default/iris");
  ASSERT_FALSE(read);
  ASSERT_EQ(read.error().size(), 2U);
  EXPECT_EQ(read.error()[0],
            "default/iris[autoscaling.knative.dev/window]: got \"y\", expected a duration of whole "
            "seconds in [6s, 1h]");
}

}  // namespace
}  // namespace pilotlight::config
