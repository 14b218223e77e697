// Golden texts: a scripted run of the autoscaler, told as `pilotlight explain` tells it.

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/cli/scripted_run.h"

namespace pilotlight::cli {
namespace {

using namespace std::chrono_literals;

constexpr const char* kScheduled =
    R"({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}]})";
constexpr const char* kRunning =
    R"({"phase": "Running", "containerStatuses": [{"name": "user-container", "restartCount": 0,
        "state": {"running": {}}}]})";
constexpr const char* kCrashing =
    R"({"phase": "Running", "containerStatuses": [{"name": "user-container", "restartCount": 1,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 3, "reason": "Error",
                                     "message": "loading /models/iris\nno such model"}}}]})";
constexpr const char* kCrashingAgain =
    R"({"phase": "Running", "containerStatuses": [{"name": "user-container", "restartCount": 2,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 3, "reason": "Error",
                                     "message": "loading /models/iris\nno such model"}}}]})";

std::string golden(const std::string& name) {
  std::ifstream file(std::string(PILOTLIGHT_STORIES) + "/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Story, WhyItWokeScaledAndSlept) {
  ScriptedRun run;
  run.deploy();
  run.pass(5s);
  run.fail_patch(500, FlowError::unexpected_status);  // the API is not well at first
  run.fail_patch(500, FlowError::unexpected_status);
  run.park(1);
  run.pass(100ms);
  run.pod("iris-1", kScheduled);
  run.pass(20ms);
  run.pod("iris-1", kRunning);
  run.pass(1900ms);
  run.ready("iris-1", 1880ms, 1895ms);
  run.pass(80ms);
  run.answer(2100ms);
  run.load(1, 12s);
  run.load(11, 8s, 12);  // a crowd, and no room for some of it
  run.ready("iris-2", 1700ms, 1710ms);
  run.ready("iris-3", 1800ms, 1805ms);
  run.ready("iris-4", 1850ms, 1856ms);
  run.load(11, 14s);
  run.load(1, 12s);
  run.drain_one();
  run.drain_one();
  run.load(1, 10s);
  run.drain_one();
  run.load(0, 22s);
  EXPECT_EQ(run.told(), golden("woke-scaled-slept.txt"));
}

TEST(Story, WhatTheApiServerDidNotTake) {
  ScriptedRun run;
  run.deploy();
  run.pass(1s);
  run.fail_patch(409, FlowError::conflict);
  run.fail_patch(429, FlowError::unexpected_status, 2s);
  run.fail_patch(503, FlowError::unexpected_status, 1s);
  run.fail_patch(0, FlowError::deadline_exceeded);
  run.fail_patch(0, FlowError::disconnected);
  run.park(1);
  run.pass(6s);
  EXPECT_EQ(run.told(), golden("not-taken.txt"));
}

TEST(Story, WhyAWakeFailedBecauseSomebodyElseScalesIt) {
  ScriptedRun run;
  run.deploy();
  run.leave_to("HorizontalPodAutoscaler hpa");
  run.pass(1s);
  run.park(1);
  run.load(1, 5s);
  run.give_up(5s);
  EXPECT_EQ(run.told(), golden("left-alone.txt"));
}

TEST(Story, WhyAWakeFailedBecauseThePatchWasRefused) {
  ScriptedRun run;
  run.deploy();
  run.pass(1s);
  for (int attempt = 0; attempt < 20; ++attempt) {
    run.fail_patch(403, FlowError::unauthorized, Duration::zero(),
                   "admission webhook \"policy\" denied the request: no GPU for this team");
  }
  run.park(1);
  run.load(1, 5s);
  run.give_up(5s);
  EXPECT_EQ(run.told(), golden("refused.txt"));
}

TEST(Story, WhyAWakeFailedBecauseAVolumeIsNotThere) {
  ScriptedRun run;
  run.deploy();
  run.pass(1s);
  run.park(1);
  run.pod("iris-1", kScheduled);
  run.pass(100ms);
  for (int i = 0; i < 3; ++i) {
    run.warn("iris-1", "FailedMount",
             "MountVolume.SetUp failed for volume \"models\" : configmap \"models\" not found");
  }
  run.load(1, 5s);
  run.give_up(5s);
  EXPECT_EQ(run.told(), golden("no-volume.txt"));
}

TEST(Story, WhyAWakeFailedBecauseTheAppExits) {
  ScriptedRun run;
  run.deploy();
  run.pass(1s);
  run.park(1);
  run.pod("iris-1", kScheduled);
  run.pass(20ms);
  run.pod("iris-1", kRunning);
  run.pass(300ms);
  run.pod("iris-1", kCrashing);
  run.pass(10ms);
  run.pod("iris-1", kRunning);
  run.pass(300ms);
  run.pod("iris-1", kCrashingAgain);
  run.load(1, 9s);
  run.give_up(10s);
  EXPECT_EQ(run.told(), golden("app-exits.txt"));
}

TEST(Story, WhyAWakeFailedBecauseTheAppIsNeverReady) {
  ScriptedRun run;
  run.deploy();
  run.pass(1s);
  run.park(2);
  run.pod("iris-1", kScheduled);
  run.pass(20ms);
  run.pod("iris-1", kRunning);
  run.load(2, 30s);
  run.give_up(30s);
  EXPECT_EQ(run.told(), golden("never-ready.txt"));
}

TEST(Story, WhyRequestsWereRefusedBecauseTheyWereTooManyForTheRoom) {
  ScriptedRun run;
  run.deploy();
  run.pass(1s);
  run.load(0, 1s);
  run.park(1000);
  run.pod("iris-1",
          R"({"conditions": [{"type": "PodScheduled", "status": "False",
              "reason": "Unschedulable", "message": "0/3 nodes have nvidia.com/gpu"}]})");
  run.load(1000, 9s, 400);
  run.give_up(9s);
  EXPECT_EQ(run.told(), golden("over-budget.txt"));
}

}  // namespace
}  // namespace pilotlight::cli
