#include "common/base/file_text.h"

#include <cerrno>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace pilotlight {
namespace {

class FileTextTest : public ::testing::Test {
 protected:
  FileTextTest() { std::filesystem::create_directories(folder); }
  ~FileTextTest() override { std::filesystem::remove_all(folder); }

  const std::string folder =
      std::filesystem::temp_directory_path() / ("pilotlight-file-text-" + std::to_string(getpid()));
  const std::string path = folder + "/file";
};

TEST_F(FileTextTest, IsTheWholeOfIt) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i);
  std::ofstream(path, std::ios::binary) << text << '\0';
  EXPECT_EQ(file_text(path), text + '\0');
  std::ofstream(path, std::ios::trunc).flush();
  EXPECT_EQ(file_text(path), "");
}

TEST_F(FileTextTest, WhatCannotBeReadIsNothing) {
  EXPECT_FALSE(file_text(path));
  EXPECT_EQ(errno, ENOENT);
  EXPECT_FALSE(file_text(folder)) << "opens, and does not read";
  EXPECT_EQ(errno, EISDIR);
  EXPECT_FALSE(file_text("/dev/zero")) << "has no end";
  EXPECT_EQ(errno, EFBIG);
}

}  // namespace
}  // namespace pilotlight
