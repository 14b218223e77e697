#include "cli/decide.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "autoscaler/decision_json.h"
#include "common/kube/json.h"

namespace pilotlight::cli {
namespace {

using kube::Json;

/// One file, and `decide --check` over it.
class Decide : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(path_); }

  void write(const std::string& text) const { std::ofstream(path_) << text; }

  [[nodiscard]] int check(std::string& said) const {
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int code = decide_file(path_, true);
    said = ::testing::internal::GetCapturedStdout() + ::testing::internal::GetCapturedStderr();
    return code;
  }

  const std::string path_ =
      (std::filesystem::temp_directory_path() / fmt::format("pilotlight-decide-{}", ::getpid()))
          .string();
};

Json decision() {
  autoscaler::LoggedDecision logged;
  autoscaler::Signal signal;
  signal.name = "concurrency";
  signal.stable = signal.panic = 3;
  logged.seen.signals.push_back(signal);
  logged.seen.ready = logged.seen.replicas = 2;
  logged.at = TimePoint(std::chrono::seconds(1000));
  autoscaler::DeciderState state = logged.before;
  logged.decision = decide(logged.seen, logged.policy, state, logged.at);
  return Json::parse(decision_json({"default", "iris-00001"}, "iris", logged, "t"));
}

TEST_F(Decide, ADifferenceThatIsNotInTheNumbersIsShown) {
  Json line = decision();
  std::string said;
  write(line.dump() + "\n");
  EXPECT_EQ(check(said), 0) << said;
  line["reason"] = "floor";
  write(line.dump() + "\n");
  EXPECT_EQ(check(said), 1);
  EXPECT_NE(said.find("\"reason\":\"floor\""), std::string::npos) << said;
  line = decision();
  for (const char* field : {"panicking", "limited", "direct"}) {
    Json other = line;
    other[field] = !line[field].get<bool>();
    write(other.dump() + "\n");
    EXPECT_EQ(check(said), 1);
    for (const char* value : {"true", "false"}) {
      EXPECT_NE(said.find(fmt::format("\"{}\":{}", field, value)), std::string::npos) << said;
    }
  }
}

TEST_F(Decide, NothingToCheckIsNoSuccess) {
  const std::string expected =
      "pilotlight: " + path_ + ": got no decision to check, expected one at least\n";
  std::string said;
  write(R"({"policy":{"metric":"concurrency","target":0.7,"total":2,"target_burst_capacity":7,)"
        R"("max_scale_up_rate":10,"max_scale_down_rate":10,"panic_threshold":1.1,)"
        R"("stable_window_s":60,"panic_window_s":12,"scale_down_delay_s":0,"activation_scale":2,)"
        R"("algorithm":"linear","reachable":true,"absence_means_unknown":true}})"
        "\n");
  EXPECT_EQ(check(said), 78);
  EXPECT_EQ(said, expected);
  write(R"({"second":1})"
        "\n");
  EXPECT_EQ(check(said), 78);
  EXPECT_EQ(said, expected);
  write(R"({"event":"poke"})"
        "\n");
  EXPECT_EQ(check(said), 78);
  EXPECT_EQ(said, expected);
}

TEST_F(Decide, AFolderIsNotAnEmptyFile) {
  std::filesystem::create_directory(path_);
  std::string said;
  EXPECT_EQ(check(said), 78);
  EXPECT_EQ(said,
            "pilotlight: " + path_ + ": got \"Is a directory\", expected a file of JSON lines\n");
}

}  // namespace
}  // namespace pilotlight::cli
