// Replays decisions that Knative's own autoscaler took over 20 minutes of generated load and asks
// for every one of them again. data/*.jsonl: a policy, then samples and decisions in order.

#include "autoscaler/replay.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "autoscaler/trace_json.h"

namespace pilotlight::autoscaler {
namespace {

constexpr std::string_view kPolicy =
    R"({"policy":{"metric":"rps","target":140,"total":200,"target_burst_capacity":211,)"
    R"("max_scale_up_rate":1000,"max_scale_down_rate":10,"panic_threshold":2,"stable_window_s":60,)"
    R"("panic_window_s":6,"scale_down_delay_s":0,"activation_scale":1,"algorithm":"linear",)"
    R"("reachable":true,"absence_means_unknown":true}})"
    "\n";

std::string problem_of(const std::string& lines) {
  std::istringstream in(lines);
  const auto trace = read_trace(in, "run.jsonl");
  return trace ? "no problem" : trace.error().front();
}

TEST(Replay, EveryRecordedDecisionIsTakenAgain) {
  std::size_t files = 0;
  std::size_t decisions = 0;
  for (const auto& entry : std::filesystem::directory_iterator(PILOTLIGHT_TRACES)) {
    std::ifstream file(entry.path());
    const auto trace = read_trace(file, entry.path().filename().string());
    ASSERT_TRUE(trace) << trace.error().front();
    ++files;
    Replay replay(trace->rules);
    for (const TraceLine& line : trace->lines) {
      if (const auto* sample = std::get_if<TraceSample>(&line.what)) {
        replay.sample(*sample);
        continue;
      }
      const auto& tick = std::get<TraceTick>(line.what);
      const Decision got = replay.decide(tick);
      ASSERT_TRUE(tick.answered);
      ASSERT_TRUE(agrees(tick, got))
          << entry.path().filename() << ":" << line.number << "\n  recorded " << answer_line(tick)
          << "\n  got      " << decision_line(tick, got);
      ++decisions;
    }
  }
  EXPECT_EQ(files, 10U);
  EXPECT_EQ(decisions, 5990U);
}

TEST(Replay, ADifferenceIsSeen) {
  TraceTick tick;
  tick.answered = true;
  tick.desired = 3;
  tick.stable = 2;
  Decision got;
  got.desired = 3;
  got.stable = 2.0000005;
  EXPECT_TRUE(agrees(tick, got));
  got.stable = 2.00001;
  EXPECT_FALSE(agrees(tick, got));
  got.stable = 2;
  got.excess_burst_capacity = 1;
  EXPECT_FALSE(agrees(tick, got));
  got.excess_burst_capacity = 0;
  got.desired.reset();
  EXPECT_FALSE(agrees(tick, got));
}

TEST(Replay, BadFilesAreRefusedWithTheLine) {
  const std::string policy(kPolicy);
  EXPECT_EQ(problem_of(policy + "{\"ms\":1,\"ready\":0}\n"), "no problem");
  EXPECT_EQ(problem_of(""), "run.jsonl:1: got nothing, expected the policy of the run");
  EXPECT_EQ(problem_of("{}\n"), "run.jsonl:1: policy: got nothing, expected the policy of the run");
  EXPECT_TRUE(problem_of(policy + "hello\n").starts_with("run.jsonl:2: "));
  EXPECT_EQ(problem_of(policy + "{\"ms\":5,\"sample\":-1}\n"),
            "run.jsonl:2: sample: got -1, expected a number in [0, 1e+18]");
  EXPECT_EQ(problem_of(policy + "{\"ms\":5,\"ready\":1,\"desired\":0}\n").substr(0, 20),
            "run.jsonl:2: stable:");
  EXPECT_EQ(problem_of(policy + "{\"ms\":5,\"ready\":1,\"speed\":2}\n").substr(0, 19),
            "run.jsonl:2: speed:");
}

}  // namespace
}  // namespace pilotlight::autoscaler
