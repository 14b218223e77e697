#include "config/autoscaler_defaults.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "config/scaling_policy.h"

namespace pilotlight::config {
namespace {

using namespace std::chrono_literals;

std::string problem(const StringMap& keys) {
  const auto read = read_autoscaler_defaults(keys, "x.yaml");
  if (read) return "no problem";
  EXPECT_EQ(read.error().size(), 1U) << read.error().back();
  return read.error().front();
}

/// What a file of that text gives.
Checked<AutoscalerDefaults> load(const std::string& text) {
  const std::string name = ::testing::TempDir() + "config-autoscaler.yaml";
  std::ofstream(name) << text;
  auto loaded = load_autoscaler_defaults(name);
  std::filesystem::remove(name);
  return loaded;
}

TEST(AutoscalerDefaults, WithoutAKeyTheyAreOurs) {
  const auto read = read_autoscaler_defaults({}, "");
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, AutoscalerDefaults());
  EXPECT_EQ(default_policy(*read), ScalingPolicy());
  EXPECT_EQ(read->target_burst_capacity, -1);
  EXPECT_TRUE(read->allow_zero_initial_scale);
}

TEST(AutoscalerDefaults, EveryKeyIsReadAndReachesThePolicy) {
  const auto read =
      read_autoscaler_defaults({{"pod-autoscaler-class", "kpa.autoscaling.knative.dev"},
                                {"enable-scale-to-zero", "false"},
                                {"allow-zero-initial-scale", "false"},
                                {"container-concurrency-target-percentage", "80"},
                                {"container-concurrency-target-default", "50"},
                                {"requests-per-second-target-default", "150"},
                                {"target-burst-capacity", "211"},
                                {"stable-window", "30s"},
                                {"panic-window-percentage", "20"},
                                {"panic-threshold-percentage", "150"},
                                {"max-scale-up-rate", "10"},
                                {"max-scale-down-rate", "1.5"},
                                {"scale-to-zero-grace-period", "20s"},
                                {"scale-to-zero-pod-retention-period", "1m"},
                                {"scale-down-delay", "15s"},
                                {"activator-capacity", "75"},
                                {"initial-scale", "2"},
                                {"min-scale", "1"},
                                {"max-scale", "9"},
                                {"max-scale-limit", "10"},
                                {"_example", "anything: goes"}},
                               "");
  ASSERT_TRUE(read) << read.error().front();
  const auto policy = read_scaling_policy({}, 0, "", *read);
  ASSERT_TRUE(policy);
  EXPECT_FALSE(policy->scale_to_zero);
  EXPECT_DOUBLE_EQ(policy->target_per_replica(), 40);
  EXPECT_EQ(policy->target_burst_capacity, 211);
  EXPECT_EQ(policy->stable_window, 30s);
  EXPECT_EQ(policy->panic_window(), 6s);
  EXPECT_EQ(policy->panic_threshold(), 1.5);
  EXPECT_EQ(policy->max_scale_up_rate, 10);
  EXPECT_EQ(policy->max_scale_down_rate, 1.5);
  EXPECT_EQ(policy->grace, 20s);
  EXPECT_EQ(policy->retention, 1min);
  EXPECT_EQ(policy->scale_down_delay, 15s);
  EXPECT_EQ(policy->activator_capacity, 75);
  EXPECT_EQ(policy->initial_scale, 2U);
  EXPECT_EQ(policy->min_scale, 1U);
  EXPECT_EQ(policy->max_scale, 9U);

  const auto rps = read_scaling_policy({{"autoscaling.knative.dev/metric", "rps"}}, 0, "", *read);
  ASSERT_TRUE(rps);
  EXPECT_DOUBLE_EQ(rps->target_per_replica(), 105) << "its ratio has no key";
}

TEST(AutoscalerDefaults, TheirLimitsBindAnnotations) {
  AutoscalerDefaults defaults;
  defaults.allow_zero_initial_scale = false;
  defaults.max_scale = defaults.max_scale_limit = 5;
  const auto refused = read_scaling_policy(
      {{"autoscaling.knative.dev/initial-scale", "0"}, {"autoscaling.knative.dev/max-scale", "0"}},
      0, "", defaults);
  ASSERT_FALSE(refused);
  ASSERT_EQ(refused.error().size(), 2U);
  EXPECT_EQ(
      refused.error()[0],
      "autoscaling.knative.dev/initial-scale: got \"0\", expected an integer in [1, 1000000]");
  EXPECT_EQ(refused.error()[1],
            "autoscaling.knative.dev/max-scale: got \"0\", expected an integer in [1, 5], the "
            "max-scale-limit");
}

TEST(AutoscalerDefaults, EachBoundHasItsMessage) {
  EXPECT_EQ(problem({{"max-scale-up-rate", "1"}}),
            "x.yaml: max-scale-up-rate: got \"1\", expected a number above 1, at most 1000000000");
  EXPECT_EQ(problem({{"stable-window", "5s"}}),
            "x.yaml: stable-window: got \"5s\", expected a duration of whole seconds in [6s, 1h]");
  EXPECT_EQ(problem({{"scale-to-zero-grace-period", "0s"}}),
            "x.yaml: scale-to-zero-grace-period: got \"0s\", expected a duration in [1ms, 24h]");
  EXPECT_EQ(problem({{"container-concurrency-target-percentage", "0"}}),
            "x.yaml: container-concurrency-target-percentage: got \"0\", expected a percentage, or "
            "a ratio of at most 1");
  EXPECT_EQ(problem({{"activator-capacity", "0.5"}}),
            "x.yaml: activator-capacity: got \"0.5\", expected a number in [1, 1000000000]");
  EXPECT_EQ(problem({{"min-scale", "3"}, {"max-scale", "2"}}),
            "x.yaml: min-scale: got \"3\", expected at most max-scale, which is 2");
  EXPECT_EQ(problem({{"max-scale-limit", "2"}}),
            "x.yaml: max-scale: got no bound, expected at most max-scale-limit, which is 2");
  EXPECT_EQ(problem({{"allow-zero-initial-scale", "no"}}),
            "x.yaml: allow-zero-initial-scale: got \"no\", expected true or false");
  EXPECT_TRUE(problem({{"stable-windo", "6s"}})
                  .starts_with("x.yaml: stable-windo: got an unknown key, expected one of "));
}

TEST(AutoscalerDefaults, AFileIsAConfigMapOrItsKeys) {
  const auto map = load(
      "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: config-autoscaler\ndata:\n"
      "  stable-window: \"90s\"\n");
  ASSERT_TRUE(map) << map.error().front();
  EXPECT_EQ(map->stable_window, 90s);
  const auto keys =
      load("stable-window: 90s\nmax-scale-down-rate: 3\nenable-scale-to-zero: false\n");
  ASSERT_TRUE(keys) << keys.error().front();
  for (const char* data : {"", "data:\n", "data: {}\n"}) {
    const auto empty = load(std::string("apiVersion: v1\nkind: ConfigMap\n") + data);
    ASSERT_TRUE(empty) << empty.error().front();
    EXPECT_EQ(*empty, AutoscalerDefaults());
  }
  EXPECT_EQ(keys->max_scale_down_rate, 3);
  EXPECT_FALSE(keys->scale_to_zero);
}

TEST(AutoscalerDefaults, AFilesProblemsComeAtOnceWithTheirLines) {
  const auto read = load("stable-window: 1s\nmin-scale: [1]\nmax-scale: -4\n");
  ASSERT_FALSE(read);
  ASSERT_EQ(read.error().size(), 3U);
  EXPECT_NE(read.error()[0].find(".yaml:2: min-scale: got a list"), std::string::npos)
      << read.error()[0];
  EXPECT_NE(read.error()[1].find(".yaml:1: stable-window: got \"1s\""), std::string::npos)
      << read.error()[1];
  EXPECT_NE(read.error()[2].find(".yaml:3: max-scale: got \"-4\""), std::string::npos)
      << read.error()[2];
  EXPECT_FALSE(load_autoscaler_defaults("/nowhere/at/all.yaml"));
}

TEST(ScalingPolicyOurs, ProgressDeadlineWaitAndFloorAreRead) {
  const auto read =
      read_scaling_policy({{kProgressDeadlineAnnotation, "2m"},
                           {kParkedWaitAnnotation, "250ms"},
                           {kFloorAnnotation, R"([{"cron":"0 8 * * *","replicas":2,"for":"1h"}])"}},
                          0);
  ASSERT_TRUE(read) << read.error().front();
  EXPECT_EQ(read->progress_deadline, 2min);
  EXPECT_EQ(read->target_parked_wait, 250ms);
  ASSERT_EQ(read->floors.size(), 1U);
  EXPECT_EQ(read->floors[0].replicas, 2U);
}

TEST(ScalingPolicyOurs, TheirProblemsNameTheAnnotation) {
  const auto read =
      read_scaling_policy({{kProgressDeadlineAnnotation, "0s"},
                           {kParkedWaitAnnotation, "soon"},
                           {"autoscaling.knative.dev/max-scale", "1"},
                           {kFloorAnnotation, R"([{"cron":"0 8 * * *","replicas":2,"for":"1h"}])"}},
                          0, "metadata.annotations");
  ASSERT_FALSE(read);
  ASSERT_EQ(read.error().size(), 3U);
  EXPECT_EQ(read.error()[2],
            "metadata.annotations[pilotlight.dev/floor]: got 2 replicas, expected at most "
            "max-scale, which is 1");
}

TEST(AutoscalerDefaults, AMountedConfigMapIsAFolder) {
  const std::filesystem::path folder = ::testing::TempDir() + "config-autoscaler";
  std::filesystem::create_directories(folder / "..data");
  std::filesystem::create_directories(folder / "lost+found");
  const auto write = [&folder](const char* key, const char* value) {
    std::ofstream(folder / key) << value;
  };
  EXPECT_EQ(*load_autoscaler_defaults(folder), AutoscalerDefaults()) << "an optional one";
  write("_example", "nonsense");
  write("stable-window", "30s");
  const auto loaded = load_autoscaler_defaults(folder);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->stable_window, 30s);
  write("stable-window", "soon");
  write("panik-window", "1");
  const auto refused = load_autoscaler_defaults(folder);
  std::filesystem::remove_all(folder);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().size(), 2U);
}

}  // namespace
}  // namespace pilotlight::config
