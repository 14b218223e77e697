#include "common/stats/time_window.h"

#include <gtest/gtest.h>

namespace pilotlight {
namespace {

constexpr TimeWindow::Second kAt = 1'000'003;

// Knative's own cases.
TEST(TimeWindow, GoldenAverages) {
  TimeWindow window(5, Averaging::linear);
  window.record(kAt, 1);
  EXPECT_EQ(window.average(kAt), 1);
  for (int i = 1; i < 5; ++i) window.record(kAt + i, i + 1);
  EXPECT_EQ(window.average(kAt + 4), 3);
  EXPECT_EQ(window.average(kAt + 6), (15.0 - 1 - 2) / 3);
  EXPECT_EQ(window.average(kAt + 10), 0);
  window.record(kAt + 6, 91);
  EXPECT_EQ(window.average(kAt + 6), (15.0 - 3 + 91) / 5);
}

TEST(TimeWindow, WhatIsRecordedInOneSecondAddsUp) {
  TimeWindow window(6, Averaging::linear);
  window.record(kAt, 1);
  window.record(kAt, 2);
  EXPECT_EQ(window.average(kAt), 3);
}

TEST(TimeWindow, LateRecordsCountInsideTheWindowOnly) {
  TimeWindow window(5, Averaging::linear);
  window.record(kAt, 5);
  window.record(kAt - 4, 10);
  window.record(kAt - 5, 1000);
  EXPECT_EQ(window.average(kAt), 3);
}

TEST(TimeWindow, AGapOfAWholeWindowStartsAnew) {
  TimeWindow window(5, Averaging::linear);
  window.record(kAt, 100);
  window.record(kAt + 5, 7);
  EXPECT_EQ(window.average(kAt + 5), 7);
}

TEST(TimeWindow, GapsInBetweenCountAsZero) {
  TimeWindow window(5, Averaging::linear);
  window.record(kAt, 4);
  window.record(kAt + 3, 4);
  EXPECT_EQ(window.average(kAt + 3), 2);
}

TEST(TimeWindow, LinearIsRoundedToSixDecimals) {
  TimeWindow window(3, Averaging::linear);
  window.record(kAt, 1);
  window.record(kAt + 2, 0);
  EXPECT_EQ(window.average(kAt + 2), 0.333333);
}

TEST(TimeWindow, WeightedFallsWithAgeAndIsNotRounded) {
  TimeWindow window(60, Averaging::weighted_exponential);
  window.record(kAt, 10);
  EXPECT_DOUBLE_EQ(window.average(kAt), 2);
  EXPECT_DOUBLE_EQ(window.average(kAt + 1), 1.6);
  window.record(kAt + 1, 10);
  EXPECT_DOUBLE_EQ(window.average(kAt + 1), 3.6);
}

TEST(TimeWindow, AnotherLengthKeepsTheNewestSeconds) {
  TimeWindow window(5, Averaging::linear);
  for (int i = 0; i < 5; ++i) window.record(kAt + i, i);
  window.reshape(2, Averaging::linear);
  EXPECT_EQ(window.average(kAt + 4), 3.5);
  window.reshape(10, Averaging::linear);
  EXPECT_EQ(window.average(kAt + 4), 3.5);
  EXPECT_EQ(window.length(), 10);
}

TEST(TimeWindow, ThePanicWindowIsAtLeastASecond) {
  EXPECT_EQ(panic_window_seconds(60, 10), 6);
  EXPECT_EQ(panic_window_seconds(6, 1), 1);
  EXPECT_EQ(panic_window_seconds(30, 55), 17);
}

}  // namespace
}  // namespace pilotlight
