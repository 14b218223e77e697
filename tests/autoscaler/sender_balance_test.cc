#include "autoscaler/sender_balance.h"

#include <gtest/gtest.h>

namespace pilotlight::autoscaler {
namespace {

/// So many requests in flight for a second, as activators and as sidecars tell of it.
SenderBalance::Flow flow(double sent, double proxied) {
  SenderBalance::Flow out;
  out.sent_time_u = sent * 1e6;
  out.proxied_time_u = proxied * 1e6;
  out.gap_u = (proxied - sent) * 1e6;
  return out;
}

class SenderBalanceTest : public ::testing::Test {
 protected:
  /// What is added to the second, and to the one before.
  std::pair<double, double> close(double sent, double proxied) {
    const auto missing = balance.close(++second, flow(sent, proxied));
    return {missing.now_u / 1e6, missing.before_u / 1e6};
  }
  using Added = std::pair<double, double>;
  SenderBalance balance;
  TimeWindow::Second second = 1000;
};

TEST_F(SenderBalanceTest, WhatIsParkedOrOnItsWayIsNotMissing) {
  for (int i = 0; i < 60; ++i) EXPECT_EQ(close(i % 7 + 1, i % 7), Added(0, 0));
  for (int i = 0; i < 60; ++i) EXPECT_EQ(close(5, 5.4), Added(0, 0)) << "clocks differ";
  EXPECT_FALSE(balance.missing());
}

TEST_F(SenderBalanceTest, OneActivatorOfTwoIsMissedFromItsFirstSecondOn) {
  for (int i = 0; i < 10; ++i) close(8, 8);
  EXPECT_EQ(close(4, 8), Added(0, 0)) << "one second may be a border";
  EXPECT_EQ(close(4, 8), Added(4, 4));
  EXPECT_TRUE(balance.missing());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(close(4, 7), Added(3, 0));
  close(7, 7);
  for (int i = 0; i < 10; ++i) close(7, 7);
  EXPECT_FALSE(balance.missing());
}

TEST_F(SenderBalanceTest, ALittleLoadThatNobodySendsIsMissedToo) {
  for (int i = 0; i < 10; ++i) close(0, 0.05);
  EXPECT_TRUE(balance.missing());
}

TEST_F(SenderBalanceTest, ABurstOnTheBorderOfTwoSecondsIsNot) {
  for (int i = 0; i < 5; ++i) close(0, 0);
  EXPECT_EQ(close(10, 20), Added(0, 0));  // a report of the sidecar's is spread over the border
  EXPECT_EQ(close(20, 10), Added(0, 0));
  EXPECT_EQ(close(0, 0), Added(0, 0));
}

TEST_F(SenderBalanceTest, SecondsThatAreNotNeighboursAreNoRow) {
  close(0, 5);
  second += 60;
  EXPECT_EQ(close(0, 5), Added(0, 0));
  EXPECT_EQ(close(0, 5), Added(5, 5));
}

TEST_F(SenderBalanceTest, AHistoryThatComesAMinuteLaterIsNotCountedAgain) {
  for (int i = 0; i < 60; ++i) close(4, 8);
  EXPECT_EQ(balance.late(second - 55, flow(4, 0), 4e6), 4e6);
}

TEST_F(SenderBalanceTest, WhatComesLateIsNotCountedAgain) {
  close(0, 5);
  EXPECT_EQ(close(0, 5), Added(5, 5));
  EXPECT_EQ(balance.late(second, flow(3, 0), 3e6), 3e6);
  EXPECT_EQ(balance.late(second, flow(3, 0), 3e6), 2e6) << "no more than was made up for";
  EXPECT_EQ(balance.late(second - 5, flow(3, 0), 3e6), 0);
  EXPECT_EQ(balance.late(second - 1, flow(0, 1), 0), 0) << "a sidecar's is not what was missing";
}

}  // namespace
}  // namespace pilotlight::autoscaler
