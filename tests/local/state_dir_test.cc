#include "local/state_dir.h"

#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace pilotlight::local {
namespace {

namespace fs = std::filesystem;

struct StateDirTest : testing::Test {
  fs::path folder = fs::temp_directory_path() / ("state-dir-test-" + std::to_string(getpid()));

  ~StateDirTest() override { fs::remove_all(folder); }

  static unsigned mode(const fs::path& path) {
    struct stat facts {};
    stat(path.c_str(), &facts);
    return facts.st_mode & 0777;
  }
};

TEST_F(StateDirTest, HasOneOwnerWhoIsNamed) {
  const auto first = StateDir::take(folder);
  ASSERT_TRUE(first);
  EXPECT_TRUE(is_locked(folder));
  const auto second = StateDir::take(folder);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().text.find("pid " + std::to_string(getpid())), std::string::npos)
      << second.error().text;
}

TEST_F(StateDirTest, IsFreeOnceItsOwnerIsGone) {
  { ASSERT_TRUE(StateDir::take(folder)); }
  EXPECT_FALSE(is_locked(folder));
  EXPECT_TRUE(StateDir::take(folder));
}

TEST_F(StateDirTest, KeepsItsTokenAndTellsItToNobodyElse) {
  auto state = StateDir::take(folder);
  ASSERT_TRUE(state);
  const auto token = state->token(1, 2);
  ASSERT_TRUE(token);
  EXPECT_EQ(*token, "00000000000000010000000000000002");
  EXPECT_EQ(*state->token(3, 4), *token);
  ASSERT_TRUE(state->write_kubeconfig("127.0.0.1:6480", *token));
  EXPECT_EQ(mode(folder), 0700u);
  EXPECT_EQ(mode(state->token_file()), 0600u);
  EXPECT_EQ(mode(state->kubeconfig()), 0600u);
}

TEST_F(StateDirTest, LeftoversOfAKilledUpDoNotCount) {
  {
    auto state = StateDir::take(folder);
    ASSERT_TRUE(state);
    kube::Json up;
    up["pid"] = 1;
    ASSERT_TRUE(state->write_up(up));
    EXPECT_TRUE(find_up(folder));
  }
  EXPECT_TRUE(fs::exists(folder / "up.json"));
  EXPECT_FALSE(find_up(folder));
  const auto next = StateDir::take(folder);
  EXPECT_FALSE(fs::exists(folder / "up.json"));
}

TEST_F(StateDirTest, OnlyTheNewestLogsAreKept) {
  fs::create_directories(folder);
  for (int i = 0; i < 10; ++i) {
    const fs::path file = folder / std::to_string(i);
    std::ofstream(file) << i;
    fs::last_write_time(file, fs::file_time_type() + std::chrono::hours(i));
  }
  prune_files(folder, 3);
  EXPECT_FALSE(fs::exists(folder / "6"));
  EXPECT_TRUE(fs::exists(folder / "7"));
  EXPECT_TRUE(fs::exists(folder / "9"));
}

}  // namespace
}  // namespace pilotlight::local
