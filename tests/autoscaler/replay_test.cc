// Replays decisions that Knative's own autoscaler took over 20 minutes of generated load and asks
// for every one of them again. data/*.jsonl: a policy, then samples and decisions in order.

#include <cmath>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "autoscaler/decider.h"
#include "common/stats/time_window.h"

namespace pilotlight::autoscaler {
namespace {

using nlohmann::json;

Duration seconds(const json& value) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value.get<double>()));
}

class Replay {
 public:
  explicit Replay(const json& p)
      : averaging_(p["algorithm"] == "linear" ? Averaging::linear
                                              : Averaging::weighted_exponential),
        stable_(p["stable_window_s"], averaging_),
        panic_(p["panic_window_s"], averaging_),
        absence_means_unknown_(p["absence_means_unknown"]) {
    policy_.max_up_rate = p["max_scale_up_rate"];
    policy_.max_down_rate = p["max_scale_down_rate"];
    policy_.panic_threshold = p["panic_threshold"];
    policy_.stable_window = seconds(p["stable_window_s"]);
    policy_.scale_down_delay = seconds(p["scale_down_delay_s"]);
    policy_.activation_scale = p["activation_scale"];
    policy_.target_burst_capacity = p["target_burst_capacity"];
    policy_.reachable = p["reachable"];
    signal_.target = p["target"];
    signal_.total = p["total"];
  }

  void sample(std::int64_t ms, double value) {
    stable_.record(ms / 1000, value);
    panic_.record(ms / 1000, value);
  }

  Decision decide(std::int64_t ms, std::int32_t ready) {
    const std::int64_t second = ms / 1000;
    const bool known = stable_.last() && second - *stable_.last() <= stable_.length();
    if (!known && absence_means_unknown_) return {};
    signal_.stable = stable_.average(second);
    signal_.panic = panic_.average(second);
    return follow_demand(signal_, ready, policy_, state_, TimePoint(std::chrono::milliseconds(ms)));
  }

 private:
  Averaging averaging_;
  TimeWindow stable_;
  TimeWindow panic_;
  bool absence_means_unknown_;
  Policy policy_;
  Signal signal_;
  DeciderState state_;
};

// The sums are rounded to 6 decimals: where the exact value lies between two of them, either is
// right.
constexpr double kClose = 1.000001e-6;

void check(const json& line, const Decision& got) {
  SCOPED_TRACE(line.dump());
  if (line["desired"].is_null()) {
    EXPECT_FALSE(got.desired.has_value());
    return;
  }
  ASSERT_TRUE(got.desired.has_value());
  EXPECT_NEAR(got.stable, line["stable"].get<double>(), kClose);
  EXPECT_NEAR(got.panic, line["panic"].get<double>(), kClose);
  EXPECT_EQ(*got.desired, line["desired"].get<std::int32_t>());
  EXPECT_EQ(got.excess_burst_capacity, line["excess_burst_capacity"].get<std::int64_t>());
}

TEST(Replay, EveryRecordedDecisionIsTakenAgain) {
  std::size_t decisions = 0;
  for (const auto& entry : std::filesystem::directory_iterator(PILOTLIGHT_TRACES)) {
    SCOPED_TRACE(entry.path().filename().string());
    std::ifstream file(entry.path());
    std::string text;
    ASSERT_TRUE(std::getline(file, text));
    Replay replay(json::parse(text)["policy"]);
    while (std::getline(file, text) && !HasFailure()) {
      const json line = json::parse(text);
      const std::int64_t ms = line["ms"];
      if (line.contains("sample")) {
        replay.sample(ms, line["sample"]);
      } else {
        check(line, replay.decide(ms, line["ready"]));
        ++decisions;
      }
    }
  }
  EXPECT_GE(decisions, 1500U) << "the traces were not found";
}

}  // namespace
}  // namespace pilotlight::autoscaler
