#include "autoscaler/refusals.h"

#include <gtest/gtest.h>

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

const TimePoint kNow{1000s};

SourceId source(wire::Role role, const std::string& name) {
  SourceId id;
  id.role = role;
  id.replica = name;
  id.epoch = 1;
  return id;
}

RefusalCounts full(std::uint64_t count) {
  RefusalCounts counts{};
  counts[static_cast<std::size_t>(RefusalCause::queue_full)] = count;
  return counts;
}

std::uint64_t queue_full(const RefusalCounts& counts) {
  return counts[static_cast<std::size_t>(RefusalCause::queue_full)];
}

const SourceId kActivator = source(wire::Role::activator, "a");
const SourceId kSidecar = source(wire::Role::sidecar, "r1");

TEST(Refusals, NothingRefusedIsNothingTold) {
  Refusals refusals;
  refusals.report(kActivator, full(0), kNow);
  refusals.report(kActivator, full(0), kNow + 1s);
  EXPECT_FALSE(refusals.take(kNow + 1h));
}

TEST(Refusals, WhatASourceHadCountedBeforeIsNoNews) {
  Refusals refusals;
  refusals.report(kActivator, full(500), kNow);
  EXPECT_FALSE(refusals.take(kNow + 1h));
  refusals.report(kActivator, full(503), kNow + 1s);
  const auto told = refusals.take(kNow + 2s);
  ASSERT_TRUE(told);
  EXPECT_EQ(queue_full(told->activators), 3U);
}

TEST(Refusals, WhatNobodyWasToldBeforeIsNews) {
  Refusals refusals;
  refusals.told_before(kActivator, full(500));
  refusals.report(kActivator, full(503), kNow);
  const auto told = refusals.take(kNow + 1s);
  ASSERT_TRUE(told);
  EXPECT_EQ(queue_full(told->activators), 3U);
  EXPECT_TRUE(told->unseen);
  refusals.told_before(kActivator, full(0));
  refusals.report(kActivator, full(504), kNow + 5s);
  const auto more = refusals.take(kNow + 6s);
  ASSERT_TRUE(more);
  EXPECT_EQ(queue_full(more->activators), 1U) << "it was being counted";
  EXPECT_FALSE(more->unseen);
}

TEST(Refusals, AReportThatOvertakesTheHistoryIsNoMark) {
  Refusals refusals;
  refusals.report(kActivator, full(502), kNow);
  refusals.told_before(kActivator, full(500));
  refusals.report(kActivator, full(503), kNow);
  const auto told = refusals.take(kNow + 1s);
  ASSERT_TRUE(told);
  EXPECT_EQ(queue_full(told->activators), 3U);
}

TEST(Refusals, WhoWasToldAllOfItIsCountedOn) {
  Refusals refusals;
  refusals.told_before(kActivator, full(500));
  refusals.report(kActivator, full(500), kNow);
  EXPECT_FALSE(refusals.take(kNow + 1h));
  refusals.report(kActivator, full(501), kNow + 2h);
  const auto told = refusals.take(kNow + 3h);
  ASSERT_TRUE(told);
  EXPECT_FALSE(told->unseen) << "it was connected";
}

TEST(Refusals, TheyAreSummedUpPerWhoRefused) {
  Refusals refusals;
  refusals.report(kActivator, full(0), kNow);
  refusals.report(kSidecar, full(0), kNow);
  refusals.report(kActivator, full(2), kNow + 250ms);
  refusals.report(kSidecar, full(1), kNow + 250ms);
  refusals.report(kActivator, full(7), kNow + 500ms);
  EXPECT_FALSE(refusals.take(kNow + 1249ms));
  const auto told = refusals.take(kNow + 1250ms);
  ASSERT_TRUE(told);
  EXPECT_EQ(queue_full(told->activators), 7U);
  EXPECT_EQ(queue_full(told->sidecars), 1U);
  EXPECT_EQ(told->period, 1s);
}

TEST(Refusals, AtMostOneSummaryInFiveSeconds) {
  Refusals refusals;
  refusals.report(kActivator, full(0), kNow);
  std::uint64_t told = 0;
  std::uint64_t summed = 0;
  for (int i = 1; i <= 240; ++i) {
    const TimePoint now = kNow + i * 250ms;
    refusals.report(kActivator, full(static_cast<std::uint64_t>(i)), now);
    const auto summary = refusals.take(now);
    if (!summary) continue;
    ++told;
    summed += queue_full(summary->activators);
  }
  EXPECT_EQ(told, 12U) << "in a minute";
  EXPECT_GE(summed, 220U) << "what is not told yet is in the next one";
}

TEST(Refusals, ACounterThatStartsAnewTakesNothingBack) {
  Refusals refusals;
  refusals.report(kActivator, full(10), kNow);
  refusals.report(kActivator, full(2), kNow + 1s);
  EXPECT_FALSE(refusals.take(kNow + 1h));
}

TEST(Refusals, WhatIsRefusedWhileTheConnectionIsBrokenIsToldWhenItIsBack) {
  Refusals refusals;
  refusals.report(kActivator, full(10), kNow);
  refusals.report(kActivator, full(10), kNow + 1s);
  refusals.lost(kActivator, kNow + 1s);
  refusals.report(kActivator, full(14), kNow + 5s);
  const auto told = refusals.take(kNow + 6s);
  ASSERT_TRUE(told);
  EXPECT_EQ(queue_full(told->activators), 4U);
  EXPECT_TRUE(told->unseen);
  refusals.report(kActivator, full(15), kNow + 12s);
  const auto more = refusals.take(kNow + 13s);
  ASSERT_TRUE(more);
  EXPECT_EQ(queue_full(more->activators), 1U);
  EXPECT_FALSE(more->unseen);
}

TEST(Refusals, WhoWasLostLongAgoBeginsWithAMark) {
  Refusals refusals;
  refusals.report(kActivator, full(10), kNow);
  refusals.lost(kActivator, kNow + 1s);
  EXPECT_FALSE(refusals.take(kNow + 62s));
  refusals.report(kActivator, full(90), kNow + 63s);
  EXPECT_FALSE(refusals.take(kNow + 1h));
}

}  // namespace
}  // namespace pilotlight::autoscaler
