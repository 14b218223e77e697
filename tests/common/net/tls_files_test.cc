#include "common/net/tls_files.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <stdlib.h>

#include "tests/support/loopback.h"
#include "tests/support/tls_identity.h"

namespace pilotlight {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using test::TlsIdentity;

void write_file(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// A folder laid out as kubelet lays out a Secret: the files are links through `..data`, and an
/// update swaps that link.
class TlsFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/tls_files_test.XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    swap_in("..first", test::make_tls_identity("first"));
    fs::create_symlink("..data/tls.crt", folder_ / "tls.crt");
    fs::create_symlink("..data/tls.key", folder_ / "tls.key");
  }
  void TearDown() override {
    if (files_) files_->stop();
    EXPECT_TRUE(shard_.run_until([this] { return shard_.scope.size() == others_; }));
    fs::remove_all(folder_);
  }

  void swap_in(const std::string& version, const TlsIdentity& identity) {
    fs::create_directory(folder_ / version);
    write_file(folder_ / version / "tls.crt", identity.certificate);
    write_file(folder_ / version / "tls.key", identity.key);
    fs::create_symlink(version, folder_ / "..data_tmp");
    fs::rename(folder_ / "..data_tmp", folder_ / "..data");
  }

  void start() {
    files_.emplace(shard_.loop.get_executor(), shard_.clock, shard_.deadlines, folder_.string(),
                   TlsSettings());
    ASSERT_EQ(files_->load(), std::nullopt);
    shard_.scope.spawn(files_->run());
    first_ = &files_->context();
  }
  [[nodiscard]] std::string text(const std::string& name) const {
    std::ifstream file(folder_ / name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  [[nodiscard]] bool changed() {
    return shard_.run_until([this] {
      shard_.sim.advance(10ms);
      return &files_->context() != first_;
    });
  }

  test::LoopbackShard shard_{test::LoopbackShard::Time::simulated};
  const std::size_t others_ = shard_.scope.size();  // tasks of the shard itself
  fs::path folder_;
  std::optional<TlsFiles> files_;
  const TlsContext* first_ = nullptr;
};

TEST_F(TlsFilesTest, ASwapOfTheDataLinkBringsANewContext) {
  start();
  swap_in("..second", test::make_tls_identity("second"));
  EXPECT_TRUE(changed());
}

TEST_F(TlsFilesTest, PlainFilesWrittenOneAfterTheOtherBringOneToo) {
  fs::remove(folder_ / "tls.crt");
  fs::remove(folder_ / "tls.key");
  const TlsIdentity before = test::make_tls_identity("before");
  write_file(folder_ / "tls.crt", before.certificate);
  write_file(folder_ / "tls.key", before.key);
  start();
  const TlsIdentity after = test::make_tls_identity("after");
  write_file(folder_ / "tls.crt", after.certificate);
  write_file(folder_ / "tls.key", after.key);
  EXPECT_TRUE(changed());
}

TEST_F(TlsFilesTest, TheSamePairAgainChangesNothing) {
  start();
  const TlsIdentity same = {text("tls.crt"), text("tls.key")};
  swap_in("..again", same);
  shard_.sim.advance(2s);
  EXPECT_EQ(&files_->context(), first_);
}

TEST_F(TlsFilesTest, ABrokenPairKeepsTheOldContextAndTheNextGoodOneReplacesIt) {
  start();
  TlsIdentity broken = test::make_tls_identity("broken");
  broken.key = test::make_tls_identity("stranger").key;
  swap_in("..broken", broken);
  shard_.sim.advance(2s);
  EXPECT_EQ(&files_->context(), first_);
  swap_in("..empty", TlsIdentity());
  shard_.sim.advance(2s);
  EXPECT_EQ(&files_->context(), first_);
  swap_in("..good", test::make_tls_identity("good"));
  EXPECT_TRUE(changed());
}

TEST_F(TlsFilesTest, FilesThatVanishKeepTheOldContext) {
  start();
  fs::remove(folder_ / "..data");
  shard_.sim.advance(2s);
  EXPECT_EQ(&files_->context(), first_);
  swap_in("..back", test::make_tls_identity("back"));
  EXPECT_TRUE(changed());
}

TEST_F(TlsFilesTest, WhoWritesAllTheTimeDelaysALookByASecondAtTheMost) {
  start();
  swap_in("..second", test::make_tls_identity("second"));
  Duration passed{};
  while (&files_->context() == first_ && passed < 5s) {
    write_file(folder_ / "noise", "x");
    shard_.sim.advance(10ms);
    passed += 10ms;
  }
  EXPECT_GT(passed, 900ms) << "it was quiet enough for a look";
  EXPECT_LT(passed, 1100ms);
}

TEST_F(TlsFilesTest, ThereIsNoTlsWithoutBothFiles) {
  EXPECT_TRUE(TlsFiles::present(folder_.string()));
  fs::remove(folder_ / "tls.key");
  EXPECT_FALSE(TlsFiles::present(folder_.string()));
  EXPECT_FALSE(TlsFiles::present("/nonexistent"));
}

TEST_F(TlsFilesTest, ABrokenPairAtTheStartIsAProblemThatNamesTheFolder) {
  swap_in("..broken", TlsIdentity());
  files_.emplace(shard_.loop.get_executor(), shard_.clock, shard_.deadlines, folder_.string(),
                 TlsSettings());
  const std::optional<std::string> problem = files_->load();
  ASSERT_TRUE(problem);
  EXPECT_NE(problem->find(folder_.string() + ": the certificate: "), std::string::npos) << *problem;
}

}  // namespace
}  // namespace pilotlight
