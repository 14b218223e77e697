#include "local/story.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace pilotlight::local {
namespace {

using kube::Json;

struct StoryTest : testing::Test {
  std::vector<std::string> told;
  Story story{[this](const StoryLine& line) { told.push_back(line.text); }};

  StoryTest() { story.know("default", "iris-00001", "iris"); }

  static Json event(const char* kind, Json fields) {
    fields["kind"] = kind;
    fields["namespace"] = "default";
    fields["revision"] = "iris-00001";
    return fields;
  }

  // The parts of one wake: parked at 1 s; PATCH 0.4 ms later; exec 5 ms after that; listening after
  // 3.1 s; ready 4 ms later; first byte 9 ms later.
  void parked() { story.on_activator(event("parked", Json{{"at_us", 1'000'000}}), 1'000'000); }
  void decided() {
    story.on_autoscaler(event("decision", Json{{"from", 0},
                                               {"to", 1},
                                               {"reason", "poke"},
                                               {"text", "1 request parked"},
                                               {"decided_at_us", 1'000'400}}),
                        1'000'500);
  }
  void started() {
    story.on_runtime(event("replica_started", Json{{"replica", "r"},
                                                   {"app_exec_at_us", 1'005'400},
                                                   {"sidecar_exec_at_us", 1'005'000}}),
                     1'006'000);
  }
  void ready() {
    story.on_autoscaler(event("replica_ready", Json{{"replica", "r"},
                                                    {"listen_us", 3'100'400},
                                                    {"ready_us", 3'104'400},
                                                    {"ready_at_us", 4'109'400}}),
                        4'109'500);
  }
  void served() {
    story.on_activator(
        event("served", Json{{"parked_at_us", 1'000'000}, {"first_byte_at_us", 4'118'400}}),
        4'118'500);
  }
};

constexpr const char* kWake =
    "iris woke in 3.12 s: decide 0.4 ms, start 5.0 ms, listen 3.10 s, ready 4.0 ms, first byte "
    "9.0 ms";

TEST_F(StoryTest, AWakeIsOneLineWithItsPhases) {
  parked();
  decided();
  started();
  ready();
  EXPECT_TRUE(told.empty());
  served();
  EXPECT_EQ(told, std::vector<std::string>{kWake});
}

TEST_F(StoryTest, ThePartsOfAWakeMayComeInAnyOrder) {
  served();
  ready();
  started();
  EXPECT_TRUE(told.empty());
  decided();
  EXPECT_EQ(told, std::vector<std::string>{kWake});
}

TEST_F(StoryTest, ThePartsOfAWakeMayBeKnownBeforeItsRequest) {
  decided();
  started();
  ready();
  parked();
  served();
  EXPECT_EQ(told, std::vector<std::string>{kWake});
}

TEST_F(StoryTest, FallingAsleepDoesNotForgetARequestParkedSince) {
  parked();
  story.on_autoscaler(event("decision", Json{{"from", 1},
                                             {"to", 0},
                                             {"reason", "idle"},
                                             {"text", "no request for 30 s"},
                                             {"decided_at_us", 999'000}}),
                      1'000'100);
  decided();
  started();
  ready();
  served();
  EXPECT_EQ(told, (std::vector<std::string>{"iris asleep after 30 s idle", kWake}));
}

TEST_F(StoryTest, ARestartedReplicaIsNotReadyBeforeItStarted) {
  parked();
  decided();
  story.on_autoscaler(
      event("replica_ready",
            Json{{"replica", "r"}, {"listen_us", 1'000}, {"ready_at_us", 1'002'000}}),
      1'002'000);
  started();
  served();
  EXPECT_TRUE(told.empty()) << "its ready time is its predecessor's";
  ready();
  EXPECT_EQ(told, std::vector<std::string>{kWake});
}

TEST_F(StoryTest, AWakeWithMissingPartsIsToldWithoutThemTwoSecondsLater) {
  parked();
  served();
  story.on_time(4'118'500 + 1'999'999);
  EXPECT_TRUE(told.empty());
  story.on_time(4'118'500 + 2'000'000);
  EXPECT_EQ(told, std::vector<std::string>{"iris woke in 3.12 s"});
  story.on_time(9'000'000);
  EXPECT_EQ(told.size(), 1u);
}

TEST_F(StoryTest, ChangesOfScaleSayWhy) {
  story.on_autoscaler(
      event("decision",
            Json{{"from", 1}, {"to", 3}, {"reason", "load"}, {"text", "10.2 requests at once"}}),
      1);
  story.on_autoscaler(
      event("decision",
            Json{{"from", 3}, {"to", 0}, {"reason", "idle"}, {"text", "no request for 30 s"}}),
      2);
  EXPECT_EQ(told, (std::vector<std::string>{"iris scaled 1 -> 3 because 10.2 requests at once",
                                            "iris asleep after 30 s idle"}));
}

TEST_F(StoryTest, AnEndOfAProcessShowsItsLastLines) {
  const Json log = Json::array({"one", "two"});
  story.on_runtime(
      event(
          "replica_exited",
          Json{{"replica", "r"}, {"cause", "app exited with 3"}, {"retry_ms", 2000}, {"log", log}}),
      1);
  EXPECT_EQ(told,
            std::vector<std::string>{
                "iris: app exited with 3 of r; starting again in 2.00 s\n    | one\n    | two"});
}

TEST_F(StoryTest, ARequestThatWasNotServedTellsTheCause) {
  parked();
  story.on_activator(event("unserved", Json{{"parked_at_us", 1'000'000}, {"cause", "app exited"}}),
                     3'000'000);
  EXPECT_EQ(told, std::vector<std::string>{"iris did not answer in 2.00 s: app exited"});
}

TEST(LengthText, HasThreeSignificantDigits) {
  EXPECT_EQ(length_text(400), "0.4 ms");
  EXPECT_EQ(length_text(9'949), "9.9 ms");
  EXPECT_EQ(length_text(31'200), "31 ms");
  EXPECT_EQ(length_text(3'214'000), "3.21 s");
  EXPECT_EQ(length_text(-5), "0.0 ms");
}

}  // namespace
}  // namespace pilotlight::local
