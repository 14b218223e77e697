#include "cli/explain.h"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/explanation.h"
#include "cli/line_file.h"
#include "local/state_dir.h"

namespace pilotlight::cli {
namespace {

constexpr std::string_view kLine =
    R"({"ms":86400000,"namespace":"team","service":"iris","from":0,"desired":2,)"
    R"("reason":"poke","text":"2 requests parked and no replica ready"})";

ExplainOptions about(const std::string& service, bool json = false) {
  ExplainOptions options;
  options.service = service;
  options.json = json;
  return options;
}

std::string explained(std::string_view line, const ExplainOptions& options, std::int64_t since) {
  Explanation explanation(options, since);
  explanation.take(line);
  return explanation.text();
}

/// A line about a decision, `ms` from 1970 on.
std::string decision(int ms, const std::string& revision, int desired,
                     const std::string& space = "team") {
  return fmt::format(
      R"({{"ms":{},"namespace":"{}","service":"iris","revision":"{}","event":"decision",)"
      R"("from":1,"desired":{},"reason":"floor","text":"the floor"}})",
      ms, space, revision, desired);
}

TEST(Explain, ALineSaysWhatChangedAndWhy) {
  const std::string text = explained(kLine, about("iris"), 0);
  EXPECT_NE(text.find("0 -> 2      poke: 2 requests parked and no replica ready\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(explained(kLine, about("team/iris", true), 0), std::string(kLine) + "\n");
}

TEST(Explain, OthersAndCutLinesAreLeftOut) {
  EXPECT_EQ(explained(kLine, about("rose"), 0), "");
  EXPECT_EQ(explained(kLine, about("default/iris"), 0), "");
  EXPECT_EQ(explained(kLine.substr(0, 60), about("iris"), 0), "");
  EXPECT_EQ(explained("[1]", about("iris"), 0), "");
  EXPECT_EQ(explained("", about("iris"), 0), "");
  EXPECT_EQ(explained(R"({"event":"poke","ms":1,"service":"iris"})", about("iris"), 2), "");
}

TEST(Explain, WhatWasDecidedLastBeforeThatTimeHasHeldSince) {
  Explanation explanation(about("iris"), 3000);
  explanation.take(decision(1000, "iris-1", 3));
  explanation.take(decision(2000, "iris-1", 2));
  std::string text = explanation.text();
  EXPECT_EQ(text.find("since "), 0U) << text;
  EXPECT_NE(text.find(":02: 2 replicas, floor: the floor\n"), std::string::npos) << text;
  explanation.take(decision(4000, "iris-1", 1));
  text = explanation.text();
  EXPECT_NE(text.find(":02: 2 replicas, floor: the floor\n"), std::string::npos) << text;
  EXPECT_NE(text.find(":04  stays 1     floor: the floor\n"), std::string::npos) << text;
}

TEST(Explain, RevisionsOfOneServiceAreToldApart) {
  Explanation explanation(about("iris"), 0);
  explanation.take(decision(1000, "iris-1", 3));
  explanation.take(decision(2000, "iris-2", 2));
  const std::string text = explanation.text();
  EXPECT_NE(text.find("1 -> 3      iris-1: floor: the floor\n"), std::string::npos) << text;
  EXPECT_NE(text.find("1 -> 2      iris-2: floor: the floor\n"), std::string::npos) << text;
}

TEST(Explain, RevisionsThatHaveLongSleptAreNotTold) {
  Explanation explanation(about("iris"), 3000);
  explanation.take(decision(1000, "iris-1", 0));
  EXPECT_NE(explanation.text().find(":01: 0 replicas, "), std::string::npos);
  explanation.take(decision(2000, "iris-2", 1));
  const std::string text = explanation.text();
  EXPECT_NE(text.find(":02: 1 replica, floor"), std::string::npos) << text;
  EXPECT_EQ(text.find(":01: "), std::string::npos) << text;
}

/// `explain` over files.
class ExplainFiles : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(dir_); }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  int run(const std::string& service) {
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int code = explain(dir_, about(service, true));
    out_ = ::testing::internal::GetCapturedStdout();
    err_ = ::testing::internal::GetCapturedStderr();
    return code;
  }

  const std::filesystem::path dir_ =
      std::filesystem::temp_directory_path() / fmt::format("pilotlight-explain-{}", ::getpid());
  const std::filesystem::path file_ = dir_ / local::kDecisionFile;
  std::string out_, err_;
};

TEST_F(ExplainFiles, TheFileThatWasFullComesFirst) {
  const std::string older = decision(1000, "iris-1", 3) + "\n";
  const std::string newer = decision(2000, "iris-1", 2) + "\n";
  std::ofstream(file_.string() + ".1") << older;
  EXPECT_EQ(run("iris"), 0) << "the newest may not be there yet";
  std::ofstream(file_) << newer;
  EXPECT_EQ(run("iris"), 0);
  EXPECT_EQ(out_, older + newer);
}

TEST_F(ExplainFiles, ANameOfSeveralServicesNeedsItsNamespace) {
  const std::string one = decision(1000, "iris-1", 3) + "\n";
  std::ofstream(file_) << one << decision(2000, "iris-1", 2, "other") << "\n";
  EXPECT_EQ(run("iris"), 78);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(err_, "pilotlight: service: got \"iris\", expected one of other/iris, team/iris\n");
  EXPECT_EQ(run("team/iris"), 0);
  EXPECT_EQ(out_, one);
}

TEST_F(ExplainFiles, WhatCannotBeReadIsNotTakenForNothing) {
  EXPECT_EQ(run("iris"), 1);
  EXPECT_EQ(err_, "pilotlight: nothing about \"iris\" is in " + file_.string() + "\n");
  std::filesystem::create_directory(file_);
  EXPECT_EQ(run("iris"), 1);
  EXPECT_EQ(err_, "pilotlight: " + file_.string() +
                      ": got \"Is a directory\", expected a file of JSON lines\n");
  std::ofstream(file_.string() + ".1") << decision(1000, "iris-1", 3) << "\n";
  EXPECT_EQ(run("iris"), 1) << "told, but not all of it";
  EXPECT_NE(out_, "");
}

TEST_F(ExplainFiles, AFileKnowsWhetherItStillHasItsName) {
  std::ofstream(file_) << "a\nb";
  LineFile file(file_);
  EXPECT_TRUE(file.is_at(file_));
  std::filesystem::rename(file_, file_.string() + ".1");
  EXPECT_FALSE(file.is_at(file_));
  EXPECT_TRUE(file.is_at(file_.string() + ".1"));
  std::string line;
  ASSERT_TRUE(file.next(line));
  EXPECT_EQ(line, "a");
  ASSERT_TRUE(file.next(line));
  EXPECT_EQ(line, "b") << "without an end of the line";
  EXPECT_FALSE(file.next(line));
  EXPECT_EQ(file.error(), 0);
}

}  // namespace
}  // namespace pilotlight::cli
