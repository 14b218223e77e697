// Cron, time zones and the floors made of both, in virtual time.

#include "config/floor.h"

#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "config/json_reader.h"
#include "config/posix_tz.h"

namespace pilotlight::config {
namespace {

using namespace std::chrono;

sys_seconds utc(int y, unsigned m, unsigned d, int hour = 0, int minute = 0, int second = 0) {
  return sys_days(year(y) / month(m) / day(d)) + hours(hour) + minutes(minute) + seconds(second);
}

local_seconds local(int y, unsigned m, unsigned d, int hour = 0, int minute = 0) {
  return local_days(year(y) / month(m) / day(d)) + hours(hour) + minutes(minute);
}

std::vector<Floor> floors(const std::string& text) {
  Report report;
  const std::vector<Floor> read = read_floors(text, "floor", report);
  for (const std::string& problem : report.problems()) ADD_FAILURE() << problem;
  return read;
}

std::string problem(const std::string& text) {
  Report report;
  (void)read_floors(text, "floor", report);
  return report.problems().empty() ? "no problem" : report.problems().front();
}

TEST(Cron, ReadsListsRangesStepsAndNames) {
  const auto cron = parse_cron("*/20 8-10,22  1-31/10 JAN,mar-4 mon-Fri");
  ASSERT_TRUE(cron);
  EXPECT_EQ(cron->minutes, 1ULL | 1ULL << 20 | 1ULL << 40);
  EXPECT_EQ(cron->hours, 0x7U << 8 | 1U << 22);
  EXPECT_EQ(cron->days, 1U << 1 | 1U << 11 | 1U << 21 | 1U << 31);
  EXPECT_EQ(cron->months, 1U << 1 | 1U << 3 | 1U << 4);
  EXPECT_EQ(cron->weekdays, 0x3EU);
  EXPECT_EQ(parse_cron("5/10 * * * *")->minutes, parse_cron("5-59/10 * * * *")->minutes);
  EXPECT_EQ(parse_cron("0 0 * * 7")->weekdays, 1U) << "7 is Sunday";
  EXPECT_EQ(parse_cron("0 0 * * 5-7")->weekdays, 0x61U);
}

TEST(Cron, RefusesWhatIsNone) {
  for (const char* text : {"",
                           "* * * *",
                           "* * * * * *",
                           "60 * * * *",
                           "* 24 * * *",
                           "* * 0 * *",
                           "* * 32 * *",
                           "* * * 13 *",
                           "* * * 0 *",
                           "* * * * 8",
                           "5-1 * * * *",
                           "*/0 * * * *",
                           "*/x * * * *",
                           "1, * * * *",
                           ",1 * * * *",
                           "1--2 * * * *",
                           "+1 * * * *",
                           "-1 * * * *",
                           "* * * foo *",
                           "jan * * * *",
                           "1/ * * * *",
                           "@daily",
                           "1.5 * * * *",
                           "** * * * *",
                           "0 8 * * mon-"}) {
    EXPECT_FALSE(parse_cron(text)) << text;
  }
}

TEST(Cron, EitherDaySufficesWhenBothAreRestricted) {
  const local_days friday = local_days(2026y / 11 / 13);
  const local_days monday = local_days(2026y / 11 / 16);
  EXPECT_TRUE(parse_cron("0 0 13 * mon")->on(friday));
  EXPECT_TRUE(parse_cron("0 0 13 * mon")->on(monday));
  EXPECT_FALSE(parse_cron("0 0 13 * mon")->on(friday + days(1)));
  EXPECT_FALSE(parse_cron("0 0 * * mon")->on(friday));
  EXPECT_FALSE(parse_cron("0 0 13 12 *")->on(friday));
}

TEST(TimeZone, KnowsTheSystemsZones) {
  const auto berlin = TimeZone::find("Europe/Berlin");
  ASSERT_TRUE(berlin) << "the package tzdata is missing";
  EXPECT_EQ(berlin->offset_at(utc(2026, 3, 29, 0, 59, 59)), 1h);
  EXPECT_EQ(berlin->offset_at(utc(2026, 3, 29, 1)), 2h);
  EXPECT_EQ(berlin->offset_at(utc(2026, 10, 25, 0, 59, 59)), 2h);
  EXPECT_EQ(berlin->offset_at(utc(2026, 10, 25, 1)), 1h);
  EXPECT_EQ(berlin->offset_at(utc(1970, 1, 1)), 1h);
  EXPECT_EQ(berlin->offset_at(utc(2090, 7, 1)), 2h) << "beyond the last transition of the file";
  EXPECT_EQ(berlin->offset_at(utc(2090, 1, 1)), 1h);
  EXPECT_EQ(TimeZone::find("Asia/Kolkata")->offset_at(utc(2026, 1, 1)), 5h + 30min);
  EXPECT_EQ(TimeZone::find("America/Sao_Paulo")->offset_at(utc(2026, 1, 1)), -3h);
  EXPECT_EQ(TimeZone::find("Australia/Sydney")->offset_at(utc(2060, 1, 1)), 11h);
  EXPECT_EQ(TimeZone::find("Australia/Sydney")->offset_at(utc(2060, 7, 1)), 10h);
  EXPECT_EQ(TimeZone::find("UTC", "/nowhere")->offset_at(utc(2026, 7, 1)), 0s);
}

TEST(TimeZone, RefusesWhatIsNoZone) {
  for (const char* name : {"", "Europe/Atlantis", "../../../etc/passwd", "/etc/localtime", "Europe",
                           "zone.tab", "tzdata.zi"}) {
    EXPECT_FALSE(TimeZone::find(name)) << name;
  }
}

TEST(TimeZone, NoPrefixOfAFileIsReadBeyondItsEnd) {
  std::ifstream file("/usr/share/zoneinfo/Europe/Berlin", std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  ASSERT_TRUE(TimeZone::parse(bytes));
  for (std::size_t length = 0; length < bytes.size(); length += 7) {
    const std::string part = bytes.substr(0, length);
    if (const auto zone = TimeZone::parse(part)) (void)zone->offset_at(utc(2050, 1, 1));
  }
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::string bent = bytes;
    bent[at] = static_cast<char>(bent[at] ^ 0x5A);
    if (const auto zone = TimeZone::parse(bent)) (void)zone->to_sys(local(2026, 3, 29, 2, 30));
  }
}

TEST(TimeZone, LocalTimesThatAreLeftOutOrShownTwice) {
  const auto berlin = TimeZone::find("Europe/Berlin");
  ASSERT_TRUE(berlin);
  EXPECT_EQ(berlin->to_sys(local(2026, 3, 29, 1, 59)), utc(2026, 3, 29, 0, 59));
  EXPECT_EQ(berlin->to_sys(local(2026, 3, 29, 2, 30)), utc(2026, 3, 29, 1)) << "the jump";
  EXPECT_EQ(berlin->to_sys(local(2026, 3, 29, 3)), utc(2026, 3, 29, 1));
  EXPECT_EQ(berlin->to_sys(local(2026, 10, 25, 2, 30)), utc(2026, 10, 25, 0, 30)) << "the first";
  EXPECT_EQ(berlin->to_sys(local(2026, 10, 25, 3)), utc(2026, 10, 25, 2));
}

TEST(PosixTz, ReadsWhatFilesEndWith) {
  const auto offset = [](std::string_view text, sys_seconds at) {
    const auto rule = parse_posix_tz(text);
    EXPECT_TRUE(rule) << text;
    return rule ? offset_of(*rule, at) : seconds::max();
  };
  EXPECT_EQ(offset("CET-1CEST,M3.5.0,M10.5.0/3", utc(2026, 7, 1)), 2h);
  EXPECT_EQ(offset("<+0530>-5:30", utc(2026, 7, 1)), 5h + 30min);
  EXPECT_EQ(offset("AEST-10AEDT,M10.1.0,M4.1.0/3", utc(2026, 1, 1)), 11h);
  EXPECT_EQ(offset("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", utc(2026, 3, 29, 1)), -1h);
  EXPECT_EQ(offset("EST5EDT,J60/0,J300/0", utc(2024, 3, 1, 4, 59)), -5h);
  EXPECT_EQ(offset("EST5EDT,J60/0,J300/0", utc(2024, 3, 1, 5)), -4h) << "no 29th of February";
  EXPECT_EQ(offset("EST5EDT,59/0,300/0", utc(2024, 2, 29, 5)), -4h) << "with it";
  for (const char* bad :
       {"", "CE", "CET", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M1.1.0",
        "CET-1CEST,M3.5.0,M10.5.0/3x", "<+05", "CET-999"}) {
    EXPECT_FALSE(parse_posix_tz(bad)) << bad;
  }
}

TEST(Floor, StandsFromEachMomentForItsTime) {
  const auto office =
      floors(R"([{"cron":"0 8 * * 1-5","replicas":2,"for":"10h","timezone":"Europe/Berlin"}])");
  EXPECT_EQ(floor_at(office, utc(2026, 11, 23, 6, 59, 59)), 0U) << "Monday, 07:59:59";
  EXPECT_EQ(floor_at(office, utc(2026, 11, 23, 7)), 2U);
  EXPECT_EQ(floor_at(office, utc(2026, 11, 23, 16, 59, 59)), 2U);
  EXPECT_EQ(floor_at(office, utc(2026, 11, 23, 17)), 0U);
  EXPECT_EQ(floor_at(office, utc(2026, 11, 22, 12)), 0U) << "Sunday";
  EXPECT_EQ(floor_at(office, utc(2026, 7, 6, 6)), 2U) << "in summer an hour earlier by UTC";
  EXPECT_EQ(floor_at(office, utc(2026, 7, 6, 5, 59, 59)), 0U);
}

TEST(Floor, TheLargestCountsAndTheyMayOverlapDays) {
  const auto both = floors(R"([{"cron":"0 22 * * *","replicas":1,"for":"12h"},
                               {"cron":"0 6 * * *","replicas":4,"for":"1h"},
                               {"cron":"0 0 1 1 *","replicas":3,"for":"168h"}])");
  EXPECT_EQ(floor_at(both, utc(2026, 11, 24, 23)), 1U);
  EXPECT_EQ(floor_at(both, utc(2026, 11, 25, 5)), 1U) << "from the day before";
  EXPECT_EQ(floor_at(both, utc(2026, 11, 25, 6, 30)), 4U);
  EXPECT_EQ(floor_at(both, utc(2026, 11, 25, 11)), 0U);
  EXPECT_EQ(floor_at(both, utc(2026, 1, 7, 23)), 3U);
  EXPECT_EQ(floor_at(both, utc(2026, 1, 8, 12)), 0U);
  EXPECT_EQ(floor_at({}, utc(2026, 1, 1)), 0U);
}

TEST(Floor, InSpringTheTimeThatIsLeftOutIsTheJump) {
  const auto night =
      floors(R"([{"cron":"30 2 * * *","replicas":1,"for":"30m","timezone":"Europe/Berlin"}])");
  EXPECT_EQ(floor_at(night, utc(2026, 3, 29, 0, 59, 59)), 0U);
  EXPECT_EQ(floor_at(night, utc(2026, 3, 29, 1)), 1U) << "03:00 local, where 02:30 would have been";
  EXPECT_EQ(floor_at(night, utc(2026, 3, 29, 1, 29, 59)), 1U);
  EXPECT_EQ(floor_at(night, utc(2026, 3, 29, 1, 30)), 0U);
  EXPECT_EQ(floor_at(night, utc(2026, 3, 30, 0, 30)), 1U) << "the day after, by summer time";
}

TEST(Floor, InAutumnTheTimeThatIsShownTwiceCountsOnce) {
  const auto night =
      floors(R"([{"cron":"30 2 * * *","replicas":1,"for":"45m","timezone":"Europe/Berlin"}])");
  EXPECT_EQ(floor_at(night, utc(2026, 10, 25, 0, 29, 59)), 0U);
  EXPECT_EQ(floor_at(night, utc(2026, 10, 25, 0, 30)), 1U);
  EXPECT_EQ(floor_at(night, utc(2026, 10, 25, 1, 14, 59)), 1U);
  EXPECT_EQ(floor_at(night, utc(2026, 10, 25, 1, 15)), 0U);
  EXPECT_EQ(floor_at(night, utc(2026, 10, 25, 1, 30)), 0U) << "the second 02:30";
}

// A day of every kind, minute by minute, against a walk through all of local time.
TEST(Floor, AgreesWithAWalkThroughTheClocksChange) {
  const auto hourly =
      floors(R"([{"cron":"10 */2 * * *","replicas":1,"for":"50m","timezone":"Europe/Berlin"}])");
  const TimeZone& zone = hourly.front().zone;
  for (const sys_seconds day : {utc(2026, 3, 29), utc(2026, 10, 25), utc(2026, 6, 1)}) {
    std::vector<sys_seconds> moments;
    for (local_seconds at = zone.to_local(day - hours(24)); at < zone.to_local(day + hours(26));
         at += minutes(1)) {
      const hh_mm_ss time(at - floor<days>(at));
      const bool due = time.minutes() == 10min && time.hours().count() % 2 == 0;
      if (due) moments.push_back(zone.to_sys(at));
    }
    for (sys_seconds now = day; now < day + hours(24); now += minutes(1)) {
      bool wanted = false;
      for (const sys_seconds at : moments) wanted = wanted || (at <= now && now < at + 50min);
      ASSERT_EQ(floor_at(hourly, now) == 1U, wanted) << (now - day).count() / 60;
    }
  }
}

TEST(Floor, ProblemsNameTheirPlace) {
  EXPECT_TRUE(problem("8am").starts_with("floor: got \"8am\", expected a JSON list of at most 64"));
  EXPECT_EQ(
      problem(R"([{"cron":"0 8 * *","replicas":2,"for":"10h"}])"),
      "floor[0].cron: got \"0 8 * *\", expected minute, hour, day, month and day of the week, "
      "as \"0 8 * * 1-5\"");
  EXPECT_EQ(problem(R"([{"cron":"0 8 * * *","replicas":0,"for":"10h"}])"),
            "floor[0].replicas: got 0, expected an integer in [1, 1000000]");
  EXPECT_EQ(problem(R"([{"cron":"0 8 * * *","replicas":1,"for":"169h"}])"),
            "floor[0].for: got \"169h\", expected a duration in [1m, 168h], as \"10h\"");
  EXPECT_EQ(problem(R"([{"cron":"0 8 * * *","replicas":1,"for":"1h","timezone":"Mars"}])"),
            "floor[0].timezone: got \"Mars\", expected a time zone that the system knows, as "
            "\"Europe/Berlin\"");
  EXPECT_TRUE(problem(R"([{"cron":"0 8 * * *","replicas":1,"for":"1h","colour":1}])")
                  .starts_with("floor[0].colour: "));
}

}  // namespace
}  // namespace pilotlight::config
