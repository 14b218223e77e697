// The way to zero: what keeps the last replica.

#include <gtest/gtest.h>

#include "tests/autoscaler/asked.h"

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

TEST(Decide, WokenItStaysUntilOneWindowAfterItWasReady) {
  Asked a;
  a.seen.replicas = 1;
  EXPECT_EQ(a.at(0s).reason, Reason::activating) << "not ready yet";
  a.seen.ready = 1;
  EXPECT_EQ(*a.at(20s).desired, 1);
  EXPECT_EQ(a.at(79s).reason, Reason::activating);
  const Decision asleep = a.at(81s);
  EXPECT_EQ(*asleep.desired, 0);
  EXPECT_EQ(asleep.reason, Reason::idle);
}

TEST(Decide, AReplicaThatNeverGetsReadyIsGivenUpAtTheProgressDeadline) {
  Asked a;
  a.seen.replicas = 1;
  EXPECT_EQ(*a.at(0s).desired, 1);
  EXPECT_EQ(*a.at(630s).desired, 1);
  EXPECT_EQ(*a.at(632s).desired, 0);
}

TEST(Decide, TheProgressDeadlineIsTheRevisions) {
  Asked a;
  a.policy.progress_deadline = 5s;
  a.seen.replicas = 1;
  EXPECT_EQ(*a.at(0s).desired, 1);
  EXPECT_EQ(*a.at(35s).desired, 1);
  EXPECT_EQ(*a.at(36s).desired, 0);
}

TEST(Decide, NothingGoesToZeroWhileARequestIsThere) {
  Asked a;
  a.seen.replicas = a.seen.ready = 1;
  a.at(0s);
  a.seen.waiting_now = 1;
  EXPECT_EQ(a.at(100s).reason, Reason::in_flight);
  EXPECT_EQ(*a.at(102s).desired, 1);
  a.seen.waiting_now = 0;
  EXPECT_EQ(*a.at(104s).desired, 0);
}

TEST(Decide, NothingSleepsThatNobodyCouldWake) {
  Asked a;
  a.seen.replicas = a.seen.ready = 1;
  a.at(0s);
  a.seen.can_wake = false;
  EXPECT_EQ(a.at(100s).reason, Reason::no_activator);
}

TEST(Decide, RetentionKeepsTheLastReplica) {
  Asked a;
  a.policy.retention = 90s;
  a.seen.replicas = a.seen.ready = 1;
  a.at(0s);
  EXPECT_EQ(a.at(59s).reason, Reason::activating);
  EXPECT_EQ(a.at(60s).reason, Reason::retention) << "counted from when it could sleep";
  EXPECT_EQ(*a.at(149s).desired, 1);
  EXPECT_EQ(*a.at(150s).desired, 0);
}

TEST(Decide, AnUnreachableOneIsNotRetained) {
  Asked a;
  a.policy.retention = 90s;
  a.policy.reachable = false;
  a.seen.replicas = a.seen.ready = 1;
  a.at(0s);
  EXPECT_EQ(*a.at(60s).desired, 0);
}

TEST(Decide, GraceLetsTheActivatorComeIntoThePathFirst) {
  Asked a;
  a.policy.target_burst_capacity = 0;
  a.seen.replicas = a.seen.ready = 1;
  a.seen.signals[0].stable = a.seen.signals[0].panic = 1;
  EXPECT_TRUE(a.at(0s).direct);
  a.seen.signals[0].stable = a.seen.signals[0].panic = 0;
  const Decision last = a.at(100s);
  EXPECT_EQ(last.reason, Reason::grace);
  EXPECT_FALSE(last.direct);
  EXPECT_EQ(*a.at(128s).desired, 1);
  EXPECT_EQ(*a.at(130s).desired, 0);
}

TEST(Decide, TimeInThePathBeforeCountsAsGrace) {
  Asked a;
  a.policy.target_burst_capacity = 100;  // more than one replica can take: never direct
  a.policy.retention = 10s;
  a.seen.replicas = a.seen.ready = 1;
  a.at(0s);
  EXPECT_EQ(a.at(60s).reason, Reason::retention);
  EXPECT_EQ(*a.at(70s).desired, 0);
}

TEST(Decide, WithoutScaleToZeroOneStays) {
  Asked a;
  a.policy.scale_to_zero = false;
  a.seen.replicas = a.seen.ready = 1;
  a.at(0s);
  const Decision got = a.at(100s);
  EXPECT_EQ(*got.desired, 1);
  EXPECT_EQ(got.reason, Reason::bounds);
}

}  // namespace
}  // namespace pilotlight::autoscaler
