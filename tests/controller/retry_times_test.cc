#include "controller/retry_times.h"

#include <gtest/gtest.h>

namespace pilotlight::controller {
namespace {

using namespace std::chrono_literals;

const Key kFlower("team", "flower");
const Key kRose("team", "rose");

class RetryTimesTest : public testing::Test {
 protected:
  RetryTimes retries;
  std::mt19937_64 random{7};
  TimePoint now{};
};

TEST_F(RetryTimesTest, NothingIsDueBeforeItsTime) {
  EXPECT_EQ(retries.next(), TimePoint::max());
  retries.failed(kFlower, now, random);
  EXPECT_GE(retries.next(), now + 50ms);
  EXPECT_LE(retries.next(), now + 100ms);
  EXPECT_TRUE(retries.take_due(now).empty()) << "another one has changed";
  EXPECT_EQ(retries.take_due(now + 100ms), std::set<Key>{kFlower});
  EXPECT_TRUE(retries.take_due(now + 100ms).empty()) << "told once";
  EXPECT_EQ(retries.next(), TimePoint::max());
}

TEST_F(RetryTimesTest, OneThatAlwaysFailsHoldsUpNoOther) {
  for (int i = 0; i < 20; ++i) {
    retries.failed(kFlower, now, random);
    now = retries.next();
    EXPECT_EQ(retries.take_due(now), std::set<Key>{kFlower});
  }
  retries.failed(kFlower, now, random);
  EXPECT_GE(retries.next(), now + 2500ms);
  EXPECT_LE(retries.next(), now + 5s);
  retries.failed(kRose, now, random);
  EXPECT_LE(retries.next(), now + 100ms);
  EXPECT_EQ(retries.take_due(now + 100ms), std::set<Key>{kRose});
}

TEST_F(RetryTimesTest, AfterASuccessItStartsFromTheBeginning) {
  for (int i = 0; i < 5; ++i) retries.failed(kFlower, now, random);
  EXPECT_GE(retries.next(), now + 800ms);
  retries.done(kFlower);
  EXPECT_EQ(retries.next(), TimePoint::max());
  retries.failed(kFlower, now, random);
  EXPECT_LE(retries.next(), now + 100ms);
}

}  // namespace
}  // namespace pilotlight::controller
