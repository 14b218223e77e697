#include "cli/log_tail.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "local/log_file.h"

namespace pilotlight::cli {
namespace {

namespace fs = std::filesystem;

struct LogTailTest : testing::Test {
  fs::path folder = fs::temp_directory_path() / ("log-tail-test-" + std::to_string(getpid()));
  fs::path path = folder / "a.log";
  LogTail tail{path, "iris app"};

  LogTailTest() { fs::create_directories(folder); }
  ~LogTailTest() override { fs::remove_all(folder); }
};

TEST_F(LogTailTest, HasEachLineOnceAndOnlyWhenItHasEnded) {
  EXPECT_EQ(tail.more(), "");
  local::LogFile log(path);
  log.append("one\ntw");
  EXPECT_EQ(tail.more(), "[iris app] one\n");
  log.append("o\n\n");
  EXPECT_EQ(tail.more(), "[iris app] two\n[iris app] \n");
  EXPECT_EQ(tail.more(), "");
}

TEST_F(LogTailTest, TheLastWordsNeedNoEndOfALine) {
  local::LogFile log(path);
  log.append("fatal: no weights");
  EXPECT_EQ(tail.more(), "");
  EXPECT_EQ(tail.unfinished(), "[iris app] fatal: no weights\n");
  EXPECT_EQ(tail.unfinished(), "");
}

TEST_F(LogTailTest, ZeroBytesEndNoLine) {
  local::LogFile log(path);
  log.append(std::string_view("a\0b\n", 4));
  EXPECT_EQ(tail.more(), "[iris app] " + std::string("a\0b\n", 4));
}

TEST_F(LogTailTest, BeginsWithTheFileBeforeTheCurrentOne) {
  local::LogFile log(path, 10);
  log.append("first 89\n");
  log.append("second\n");
  EXPECT_EQ(tail.more(), "[iris app] first 89\n[iris app] second\n");
}

TEST_F(LogTailTest, LosesNothingWhenAFullFileMakesPlace) {
  local::LogFile log(path, 10);
  log.append("1\n");
  EXPECT_EQ(tail.more(), "[iris app] 1\n");
  log.append("2\nhalf");
  log.append("and half\n");
  EXPECT_EQ(tail.more(), "[iris app] 2\n[iris app] halfand half\n");
}

TEST_F(LogTailTest, AReplicaThatStartsAgainIsReadFromItsBeginning) {
  local::LogFile(path).append("a long line of the first\n");
  EXPECT_EQ(tail.more(), "[iris app] a long line of the first\n");
  local::LogFile(path).append("second\n");
  EXPECT_EQ(tail.more(), "[iris app] second\n");
}

}  // namespace
}  // namespace pilotlight::cli
