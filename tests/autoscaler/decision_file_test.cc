#include "autoscaler/decision_file.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "autoscaler/decision_json.h"

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

class DecisionFileTest : public ::testing::Test {
 protected:
  DecisionFileTest() : folder(::testing::TempDir() + "decisions-" + name_of_test()) {
    std::filesystem::create_directories(folder);
  }
  ~DecisionFileTest() override { std::filesystem::remove_all(folder); }

  static std::string name_of_test() {
    return ::testing::UnitTest::GetInstance()->current_test_info()->name();
  }

  static std::string content(const std::string& name) {
    std::ostringstream out;
    out << std::ifstream(name).rdbuf();
    return out.str();
  }

  const std::string folder;
  const std::string path = folder + "/decisions.jsonl";
};

TEST_F(DecisionFileTest, AppendsAcrossStarts) {
  EXPECT_TRUE(DecisionFile(path).append("{\"a\":1}"));
  DecisionFile again(path);
  EXPECT_TRUE(again.append("{\"a\":2}"));
  EXPECT_TRUE(again.append("{\"a\":3}"));
  EXPECT_EQ(content(path), "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");
}

TEST_F(DecisionFileTest, ALineThatACrashCutIsEnded) {
  std::ofstream(path) << "{\"a\":1}\n{\"a\":";
  EXPECT_TRUE(DecisionFile(path).append("{\"a\":2}"));
  EXPECT_EQ(content(path), "{\"a\":1}\n{\"a\":\n{\"a\":2}\n");
}

TEST_F(DecisionFileTest, IsBoundedByTwoFiles) {
  DecisionFile file(path, 40);
  for (int i = 100; i < 120; ++i)
    EXPECT_TRUE(file.append("{\"number\":" + std::to_string(i) + "}"));
  EXPECT_EQ(content(path + ".1"), "{\"number\":116}\n{\"number\":117}\n");
  EXPECT_EQ(content(path), "{\"number\":118}\n{\"number\":119}\n");
  EXPECT_EQ(file.lost(), 0U);
}

TEST_F(DecisionFileTest, WhereItCannotBeRenamedLinesAreLostRatherThanTheBound) {
  std::filesystem::create_directories(path + ".1/taken");
  DecisionFile file(path, 40);
  for (int i = 100; i < 110; ++i) file.append("{\"number\":" + std::to_string(i) + "}");
  EXPECT_EQ(content(path), "{\"number\":100}\n{\"number\":101}\n");
  EXPECT_EQ(file.lost(), 8U);
  std::filesystem::remove_all(path + ".1");
  EXPECT_TRUE(file.append("{\"number\":110}")) << "tried again with every line";
  EXPECT_EQ(content(path), "{\"number\":110}\n");
}

TEST_F(DecisionFileTest, OneThatIsTakenAwayIsMadeAnewAtTheBound) {
  DecisionFile file(path, 40);
  for (int i = 100; i < 102; ++i) file.append("{\"number\":" + std::to_string(i) + "}");
  std::filesystem::remove(path);
  EXPECT_TRUE(file.append("{\"number\":102}"));
  EXPECT_EQ(content(path), "{\"number\":102}\n");
}

TEST_F(DecisionFileTest, AFullOneIsRotatedByTheNextStartToo) {
  std::ofstream(path) << std::string(50, 'x') << '\n';
  EXPECT_TRUE(DecisionFile(path, 40).append("{}"));
  EXPECT_EQ(content(path), "{}\n");
}

TEST_F(DecisionFileTest, AFolderThatIsNotThereCostsLinesOnly) {
  DecisionFile file(folder + "/not/there.jsonl");
  EXPECT_FALSE(file.append("{}"));
  EXPECT_FALSE(file.append("{}"));
  EXPECT_EQ(file.lost(), 2U);
  std::filesystem::create_directories(folder + "/not");
  EXPECT_TRUE(file.append("{}")) << "tried again with every line";
}

TEST_F(DecisionFileTest, ADashIsStandardOutput) {
  const int kept = dup(STDOUT_FILENO);
  std::FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  dup2(fileno(file), STDOUT_FILENO);
  EXPECT_TRUE(DecisionFile("-").append("{\"a\":1}"));  // its end writes what is queued
  dup2(kept, STDOUT_FILENO);
  close(kept);
  std::fclose(file);
  EXPECT_EQ(content(path), "{\"a\":1}\n");
  EXPECT_FALSE(std::filesystem::exists("-"));
}

TEST(DecisionJson, SaysAllThatWentIn) {
  LoggedDecision logged;
  logged.at = TimePoint(1000s);
  logged.unix_ms = 5;
  logged.seen.signals.resize(1);
  logged.seen.signals[0].name = "concurrency";
  logged.seen.signals[0].stable = 0.1;
  logged.seen.replicas = 1;
  logged.seen.poke = 3;
  logged.before.panic_since = TimePoint(990s);
  logged.before.delayed = {{498, 4}};
  logged.decision.desired = 3;
  logged.decision.reason = Reason::poke;
  const auto line = nlohmann::json::parse(
      decision_json({"team", "iris-00001"}, "iris", logged, "3 requests parked"));
  EXPECT_EQ(line["service"], "iris");
  EXPECT_EQ(line["from"], 1);
  EXPECT_EQ(line["desired"], 3);
  EXPECT_EQ(line["reason"], "poke");
  EXPECT_EQ(line["text"], "3 requests parked");
  EXPECT_EQ(line["seen"]["signals"][0]["stable"].get<double>(), 0.1) << "to the bit";
  EXPECT_EQ(line["seen"]["parked"], 3);
  EXPECT_EQ(line["before"]["panic_s"], 10);
  EXPECT_EQ(line["before"]["delayed"][0]["slot"], 498);
  EXPECT_EQ(line["before"]["idle_s"], nullptr);
  EXPECT_EQ(line["policy"]["max_scale"], nullptr);
}

}  // namespace
}  // namespace pilotlight::autoscaler
