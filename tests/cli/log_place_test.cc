#include "cli/log_place.h"

#include <gtest/gtest.h>

namespace pilotlight::cli {
namespace {

std::string taken(LogPlace& place, std::string_view line) {
  return std::string(place.take(line).value_or("(seen)"));
}

TEST(LogPlace, ALineIsToldWithoutItsTimestamp) {
  LogPlace place;
  EXPECT_EQ(place.resume(), "") << "from the beginning";
  EXPECT_EQ(taken(place, "2026-11-25T08:00:00.100000000Z a b"), "a b");
  EXPECT_EQ(taken(place, "2026-11-25T08:00:00.100000000Z "), "");
  EXPECT_EQ(taken(place, "of a server that puts none there"), "of a server that puts none there");
  EXPECT_EQ(taken(place, ""), "");
}

TEST(LogPlace, AResumedLogBeginsBehindTheLastLine) {
  LogPlace place;
  EXPECT_EQ(taken(place, "2026-11-25T08:00:00.100000000Z a"), "a");
  EXPECT_EQ(taken(place, "2026-11-25T08:00:00.200000000Z b"), "b");
  EXPECT_EQ(taken(place, "2026-11-25T08:00:00.200000000Z c"), "c");
  EXPECT_EQ(place.resume(), "2026-11-25T08:00:00Z");
  EXPECT_EQ(taken(place, "2026-11-25T08:00:00.100000000Z a"), "(seen)");
  EXPECT_EQ(taken(place, "2026-11-25T08:00:00.200000000Z b"), "(seen)");
  EXPECT_EQ(taken(place, "2026-11-25T08:00:00.200000000Z c"), "(seen)");
  EXPECT_EQ(taken(place, "2026-11-25T08:00:00.200000000Z d"), "d") << "written in the same instant";
  EXPECT_EQ(taken(place, "2026-11-25T08:00:01.000000000Z e"), "e");
  EXPECT_EQ(taken(place, "2026-11-25T08:00:00.900000000Z f"), "f") << "the clock was set back";
}

TEST(LogPlace, ATimeZoneStays) {
  LogPlace place;
  EXPECT_EQ(taken(place, "2026-11-25T08:00:00.100000000+02:00 a"), "a");
  EXPECT_EQ(place.resume(), "2026-11-25T08:00:00+02:00");
}

}  // namespace
}  // namespace pilotlight::cli
