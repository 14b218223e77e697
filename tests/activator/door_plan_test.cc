#include "activator/door_plan.h"

#include <gtest/gtest.h>

namespace pilotlight::activator {
namespace {

using namespace std::chrono_literals;
using Verb = DoorPlan::Step::Verb;

class DoorPlanTest : public ::testing::Test {
 protected:
  /// "open 20001 a/b", one a line.
  std::string steps() {
    std::string out;
    for (const DoorPlan::Step& step : plan.steps(now)) {
      const char* verbs[] = {"open", "rename", "leave", "close"};
      out += std::string(verbs[static_cast<int>(step.verb)]) + " " + std::to_string(step.port) +
             (step.route.empty() ? "" : " " + step.route) + "\n";
    }
    return out;
  }

  DoorPlan plan;
  TimePoint now = TimePoint() + 1h;
  std::mt19937_64 random{1};
};

TEST_F(DoorPlanTest, OpensWhatIsWantedOnce) {
  EXPECT_EQ(plan.next_due(), TimePoint::max());
  plan.want({{20001, "a/b"}, {20002, "a/c"}}, now);
  EXPECT_LE(plan.next_due(), now);
  EXPECT_EQ(steps(), "open 20001 a/b\nopen 20002 a/c\n");
  EXPECT_EQ(steps(), "");
  EXPECT_EQ(plan.next_due(), TimePoint::max());
  EXPECT_EQ(plan.open(), 2u);
}

TEST_F(DoorPlanTest, ADoorLingersUntilTheLastNodeHasHeard) {
  plan.want({{20001, "a/b"}}, now);
  steps();
  plan.want({}, now);
  EXPECT_EQ(steps(), "leave 20001\n");
  EXPECT_EQ(plan.next_due(), now + DoorPlan::kLinger);
  now += DoorPlan::kLinger - 1ms;
  EXPECT_EQ(steps(), "");
  now += 1ms;
  EXPECT_EQ(steps(), "close 20001\n");
  EXPECT_EQ(plan.open(), 0u);
}

TEST_F(DoorPlanTest, OneThatIsWantedAgainStaysOpen) {
  plan.want({{20001, "a/b"}}, now);
  steps();
  plan.want({}, now);
  steps();
  now += 20s;
  plan.want({{20001, "a/b"}}, now);
  EXPECT_EQ(steps(), "rename 20001 a/b\n") << "nobody is sent away any more";
  now += 1h;
  EXPECT_EQ(steps(), "");
  EXPECT_EQ(plan.open(), 1u);
}

TEST_F(DoorPlanTest, AnotherRouteBehindAnOpenDoorIsARename) {
  plan.want({{20001, "a/b"}}, now);
  steps();
  plan.want({{20001, "a/c"}}, now);
  EXPECT_LE(plan.next_due(), now);
  EXPECT_EQ(steps(), "rename 20001 a/c\n");
  EXPECT_EQ(steps(), "");
}

TEST_F(DoorPlanTest, WhatCannotBeOpenedIsTriedAgainMoreAndMoreSeldom) {
  plan.want({{20001, "a/b"}}, now);
  Duration longest{};
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(steps(), "open 20001 a/b\n");
    plan.failed(20001, now, random);
    EXPECT_EQ(steps(), "");
    EXPECT_EQ(plan.open(), 0u);
    longest = plan.next_due() - now;
    EXPECT_GE(longest, 50ms);
    EXPECT_LE(longest, 10s);
    now = plan.next_due();
  }
  EXPECT_GE(longest, 5s);
}

TEST_F(DoorPlanTest, WhatNeverOpenedIsForgottenAtOnce) {
  plan.want({{20001, "a/b"}}, now);
  steps();
  plan.failed(20001, now, random);
  plan.want({}, now);
  EXPECT_EQ(steps(), "");
  EXPECT_EQ(plan.next_due(), TimePoint::max());
}

}  // namespace
}  // namespace pilotlight::activator
