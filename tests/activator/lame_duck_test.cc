#include "activator/lame_duck.h"

#include <gtest/gtest.h>

namespace pilotlight::activator {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kBegin = TimePoint() + 1h;

TEST(LameDuck, EndsOnceNobodyHasComeForAWhile) {
  LameDuck duck(5s, 7, kBegin);
  EXPECT_FALSE(duck.over(7, kBegin));
  EXPECT_FALSE(duck.over(7, kBegin + 5s - 1ms));
  EXPECT_TRUE(duck.over(7, kBegin + 5s));
}

TEST(LameDuck, WhoeverComesMakesItWaitAnew) {
  LameDuck duck(5s, 0, kBegin);
  EXPECT_FALSE(duck.over(1, kBegin + 4s));
  EXPECT_FALSE(duck.over(1, kBegin + 9s - 1ms));
  EXPECT_TRUE(duck.over(1, kBegin + 9s));
}

TEST(LameDuck, ButNotForEver) {
  LameDuck duck(5s, 0, kBegin);
  std::uint64_t come = 0;
  TimePoint now = kBegin;
  for (; now < kBegin + LameDuck::kLongest; now += 250ms) ASSERT_FALSE(duck.over(++come, now));
  EXPECT_TRUE(duck.over(++come, now));
}

TEST(LameDuck, NoTimeIsNoWait) { EXPECT_TRUE(LameDuck(0s, 3, kBegin).over(3, kBegin)); }

}  // namespace
}  // namespace pilotlight::activator
