#include "local/log_file.h"

#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <unistd.h>

namespace pilotlight::local {
namespace {

namespace fs = std::filesystem;

struct LogFileTest : testing::Test {
  fs::path folder = fs::temp_directory_path() / ("log-file-test-" + std::to_string(getpid()));
  fs::path path = folder / "a.log";

  LogFileTest() { fs::create_directories(folder); }
  ~LogFileTest() override { fs::remove_all(folder); }

  static std::string content(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
};

TEST_F(LogFileTest, NeverTakesMoreThanTwiceItsLimit) {
  LogFile log(path, 100);
  for (int i = 0; i < 50; ++i) log.append("0123456789012345678\n");
  EXPECT_LE(fs::file_size(path), 100u);
  EXPECT_LE(fs::file_size(path.string() + ".1"), 100u);
  EXPECT_FALSE(content(path.string() + ".1").empty());
}

TEST_F(LogFileTest, RemembersTheLastTwentyLinesWhateverThePiecesTheyCameIn) {
  LogFile log(path);
  for (int i = 0; i < 30; ++i) {
    log.append("line ");
    log.append(std::to_string(i) + "\nand");
    log.append("\n");
  }
  log.append("unfinished");
  EXPECT_EQ(log.last_lines(100).size(), LogFile::kLinesKept);
  EXPECT_EQ(log.last_lines(3), (std::vector<std::string>{"line 29", "and", "unfinished"}));
  log.forget_lines();
  EXPECT_TRUE(log.last_lines(5).empty());
}

TEST_F(LogFileTest, AVeryLongLineIsCutInMemoryNotInTheFile) {
  LogFile log(path);
  log.append(std::string(5000, 'x'));
  EXPECT_EQ(log.last_lines(1).at(0).size(), LogFile::kLineLimit);
  EXPECT_EQ(content(path).size(), 5000u);
}

TEST_F(LogFileTest, AFolderThatIsGoneLosesLinesOnly) {
  LogFile log(folder / "missing" / "a.log");
  log.append("still remembered\n");
  EXPECT_EQ(log.last_lines(1).at(0), "still remembered");
}

}  // namespace
}  // namespace pilotlight::local
