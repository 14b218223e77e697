#include "common/base/log.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace pilotlight {
namespace {

TEST(LogTest, ALineHasItsTimeLevelProgramEventAndFields) {
  testing::internal::CaptureStderr();
  start_logging("tester", LogLevel::info);
  log_debug("too small to tell");
  log_info("scaled", {{"revision", "iris-00001"}, {"to", 3}, {"why", "a \"wake\""}});
  log_warn("second");
  stop_logging();
  log_error("after the end");
  const std::string written = testing::internal::GetCapturedStderr();

  const std::size_t end = written.find('\n');
  ASSERT_NE(end, std::string::npos) << written;
  EXPECT_TRUE(written.substr(0, end).ends_with(
      " info tester scaled revision=iris-00001 to=3 why=\"a \\\"wake\\\"\""))
      << written;
  EXPECT_TRUE(written.ends_with(" warning tester second\n")) << written;
  EXPECT_EQ(std::count(written.begin(), written.end(), '\n'), 2) << written;
  const std::string like = "2026-11-25T03:53:32.381+00:00";
  EXPECT_EQ(written.find(' '), like.size()) << written;
}

TEST(LogTest, NothingIsLostBetweenManyLinesAndTheEnd) {
  testing::internal::CaptureStderr();
  start_logging("tester", LogLevel::info);
  for (int i = 0; i < 1000; ++i) log_info("line", {{"number", i}});
  stop_logging();
  const std::string written = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(written.begin(), written.end(), '\n'), 1000);
  EXPECT_TRUE(written.ends_with("number=999\n"));
}

}  // namespace
}  // namespace pilotlight
