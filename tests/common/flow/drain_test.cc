#include "common/flow/drain.h"

#include <gtest/gtest.h>

namespace pilotlight {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart = TimePoint() + 1h;

TEST(DrainFence, DrainedEndsItAtOnceHoweverRecentTheLastRequest) {
  DrainFence fence{DrainFence::Params()};
  fence.begin(kStart);
  fence.request(kStart + 1ms, /*hop=*/true);
  EXPECT_FALSE(fence.fenced(kStart + 2ms));
  fence.drained();
  EXPECT_TRUE(fence.fenced(kStart + 2ms));
}

TEST(DrainFence, AloneItWaitsForThirtyQuietSecondsAndEachRequestRestartsThem) {
  DrainFence fence{DrainFence::Params()};
  fence.begin(kStart);
  EXPECT_EQ(fence.next(kStart), kStart + 30s);
  fence.request(kStart + 29s, /*hop=*/false);
  EXPECT_FALSE(fence.fenced(kStart + 30s));
  EXPECT_FALSE(fence.fenced(kStart + 59s - 1ns));
  EXPECT_TRUE(fence.fenced(kStart + 59s));
  EXPECT_EQ(fence.next(kStart + 59s), TimePoint::max());
}

TEST(DrainFence, WhereClientsComePastTheActivatorsDrainedIsNotEnough) {
  DrainFence fence{DrainFence::Params()};
  fence.request(kStart - 1h, /*hop=*/false);
  fence.begin(kStart);
  fence.request(kStart + 5s, /*hop=*/true);
  fence.drained();
  EXPECT_FALSE(fence.fenced(kStart + 35s - 1ns));
  EXPECT_TRUE(fence.fenced(kStart + 35s));
}

TEST(DrainFence, ADirectClientDuringTheDrainBringsTheQuietRuleBack) {
  DrainFence fence{DrainFence::Params()};
  fence.begin(kStart);
  fence.request(kStart + 1s, /*hop=*/false);
  fence.drained();
  EXPECT_FALSE(fence.fenced(kStart + 31s - 1ns));
  EXPECT_TRUE(fence.fenced(kStart + 31s));
}

TEST(DrainFence, ALostConnectionTakesDrainedWithIt) {
  DrainFence fence{DrainFence::Params()};
  fence.begin(kStart);
  fence.drained();
  fence.disconnected();
  EXPECT_FALSE(fence.fenced(kStart + 30s - 1ns));
  EXPECT_TRUE(fence.fenced(kStart + 30s));
}

TEST(DrainFence, ADrainedOfAnEarlierDrainDoesNotCount) {
  DrainFence fence{DrainFence::Params()};
  fence.begin(kStart);
  fence.drained();
  fence.reset();
  EXPECT_FALSE(fence.begun());
  EXPECT_FALSE(fence.fenced(kStart + 1h));
  fence.begin(kStart + 1h);
  EXPECT_FALSE(fence.fenced(kStart + 1h));
}

}  // namespace
}  // namespace pilotlight
