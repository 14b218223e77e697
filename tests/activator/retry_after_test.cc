#include "activator/retry_after.h"

#include <gtest/gtest.h>

namespace pilotlight::activator {
namespace {

using namespace std::chrono_literals;

ReplicaSet::Learned learned(Duration p50, Duration p95) {
  ReplicaSet::Learned out;
  out.p50 = p50;
  out.p95 = p95;
  return out;
}

TEST(RetryAfter, IsOneSecondWhileNothingIsLearned) {
  EXPECT_EQ(retry_after_seconds(learned(0s, 0s), true, 0s), 1U);
  EXPECT_EQ(retry_after_seconds(learned(0s, 0s), false, 0s), 1U);
  EXPECT_EQ(retry_after_seconds(learned(0s, 0s), true, 60s), 1U);
}

TEST(RetryAfter, IsWhatIsLeftOfASlowWakeRoundedUp) {
  EXPECT_EQ(retry_after_seconds(learned(3s, 8s), true, 0s), 8U);
  EXPECT_EQ(retry_after_seconds(learned(3s, 8s), true, 2500ms), 6U);
  EXPECT_EQ(retry_after_seconds(learned(3s, 8s), true, 7999ms), 1U);
}

TEST(RetryAfter, IsNeverZeroAndNeverEndless) {
  EXPECT_EQ(retry_after_seconds(learned(3s, 8s), true, 8s), 1U);
  EXPECT_EQ(retry_after_seconds(learned(3s, 8s), true, 600s), 1U);
  EXPECT_EQ(retry_after_seconds(learned(3s, 1h), true, 0s), 300U);
  EXPECT_EQ(retry_after_seconds(learned(3s, std::chrono::hours(24 * 365)), true, 0s), 300U);
}

TEST(RetryAfter, OfABusyRevisionIsTheTimeOfOneMoreReplica) {
  EXPECT_EQ(retry_after_seconds(learned(2100ms, 8s), false, 5s), 3U);
}

}  // namespace
}  // namespace pilotlight::activator
