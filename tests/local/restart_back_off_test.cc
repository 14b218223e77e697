#include "local/restart_back_off.h"

#include <gtest/gtest.h>

namespace pilotlight::local {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

TEST(RestartBackOff, TheFirstIsAtOnceThenOneSecondDoublingToSixty) {
  RestartBackOff back_off;
  const TimePoint began{};
  for (const int expected : {0, 1, 2, 4, 8, 16, 32, 60, 60}) {
    EXPECT_EQ(back_off.after(began, began + seconds(3)), seconds(expected));
  }
}

TEST(RestartBackOff, TenMinutesOfHealthStartItAfresh) {
  RestartBackOff back_off;
  const TimePoint began{};
  for (int i = 0; i < 5; ++i) static_cast<void>(back_off.after(began, began));
  EXPECT_EQ(back_off.after(began, began + minutes(10) - Duration(1)), seconds(16));
  EXPECT_EQ(back_off.after(began, began + minutes(10)), Duration::zero());
  EXPECT_EQ(back_off.after(began, began), seconds(1));
}

}  // namespace
}  // namespace pilotlight::local
