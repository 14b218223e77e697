// A Loop that follows, and what it does once it is elected.

#include <gtest/gtest.h>

#include "autoscaler/loop.h"
#include "tests/autoscaler/loop_world.h"

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

class LoopFollows : public LoopTest {
 protected:
  LoopFollows() { loop.follow(); }
};

TEST_F(LoopFollows, AFollowerDecidesNothing) {
  loop.track(view(3, 5));
  loop.deployments_known();
  start();
  clock.advance(300s);
  EXPECT_TRUE(target.calls.empty());
  EXPECT_TRUE(loop.subjects().empty());
  EXPECT_FALSE(loop.leading());
}

TEST_F(LoopFollows, TheElectedOneKnowsTheDeploymentsAndWakesAtOnce) {
  loop.track(view(0));
  loop.deployments_known();
  start();
  clock.advance(300s);
  loop.lead();
  loop.joined(activator);
  poke(1);
  EXPECT_EQ(asked(), std::vector<std::int32_t>{1});
}

TEST_F(LoopFollows, WhatIsProtectedUntilTheReplayCountsFromTheElection) {
  loop.track(view(3, 5));
  loop.deployments_known();
  start();
  clock.advance(300s);  // longer than any window
  loop.lead();
  ready(sidecars.emplace_back(FakePeer::sidecar("r1")));  // which replays nothing
  loop.joined(activator);
  run_load(0, 55s);
  EXPECT_TRUE(target.calls.empty()) << "nobody has told it yet what the load was";
  run_load(0, 80s);
  ASSERT_FALSE(target.calls.empty());
  EXPECT_EQ(target.calls.back().second, 0);
}

TEST_F(LoopFollows, ADeploymentThatWentMeanwhileIsNotDecidedAbout) {
  loop.track(view(0));
  loop.deployments_known();
  loop.untrack(key);
  loop.lead();
  EXPECT_TRUE(loop.subjects().empty());
}

TEST_F(LoopFollows, ElectedBeforeTheApiHasToldAllItWaitsForTheRest) {
  loop.lead();
  loop.joined(activator);
  poke(2);
  EXPECT_TRUE(target.calls.empty());
  loop.track(view(0, 5));
  clock.settle();
  EXPECT_EQ(asked(), std::vector<std::int32_t>{1});
}

TEST_F(LoopFollows, AClosedOneHearsNothingAnyMore) {
  loop.track(view(0));
  loop.deployments_known();
  loop.lead();
  loop.joined(activator);
  loop.close();
  poke(1);
  EXPECT_TRUE(target.calls.empty());
}

}  // namespace
}  // namespace pilotlight::autoscaler
