#include "cli/sentences.h"

#include <cstdlib>
#include <ctime>

#include <gtest/gtest.h>

namespace pilotlight::cli {
namespace {

using kube::Json;

Json decision(const char* more) {
  Json out = Json::parse(R"({"event": "decision", "from": 2, "desired": 3, "reason": "load",
      "text": "t", "stable": 7.0, "panic": 2.0, "leading": 0, "limited": false,
      "panicking": false, "policy": {"max_scale_up_rate": 1000, "max_scale_down_rate": 2,
                                     "activation_scale": 1},
      "seen": {"ready": 2, "signals": [{"kind": "average", "target": 2.8}]}})");
  out.merge_patch(Json::parse(more));
  return out;
}

TEST(Sentences, ANumberThatFollowsDemandIsWorkedOut) {
  EXPECT_EQ(arithmetic_of(decision("{}")),
            "7 / 2.8 per replica = 2.5, so 3: with 2 each would have 3.5");
  EXPECT_EQ(arithmetic_of(decision(R"({"stable": 1.4, "desired": 1})")),
            "1.4 / 2.8 per replica = 0.5, so 1");
  EXPECT_EQ(arithmetic_of(decision(R"({"reason": "panic", "panic": 11.0, "desired": 4})")),
            "11 / 2.8 per replica = 3.929, so 4: with 3 each would have 3.667");
}

TEST(Sentences, ALimitThatKeptItLowerOrHigherIsNamed) {
  EXPECT_EQ(arithmetic_of(decision(R"({"stable": 28, "limited": true})")),
            "28 / 2.8 per replica = 10, so 10 were wanted, which is above max-scale");
  EXPECT_EQ(arithmetic_of(decision(R"({"stable": 28, "desired": 4,
                                       "policy": {"max_scale_up_rate": 2}})")),
            "28 / 2.8 per replica = 10, so 10 were wanted, but max-scale-up-rate 2 allows 4 from 2 "
            "ready");
  EXPECT_EQ(arithmetic_of(decision(R"({"stable": 2.8, "desired": 5, "seen": {"ready": 10}})")),
            "2.8 / 2.8 per replica = 1, so 1 would do, but max-scale-down-rate 2 allows no fewer "
            "than 5 from "
            "10");
  EXPECT_EQ(
      arithmetic_of(decision(R"({"stable": 2.8, "desired": 7, "panicking": true})")),
      "2.8 / 2.8 per replica = 1, so 1 would do, but nothing goes down within a window of a panic");
  EXPECT_EQ(arithmetic_of(decision(R"({"stable": 2.8, "policy": {"activation_scale": 3}})")),
            "2.8 / 2.8 per replica = 1, so 1 would do, but activation-scale is 3");
}

TEST(Sentences, AValueOfAllReplicasIsWorkedOutFromTheReadyOnes) {
  const auto value = [](const char* more) {
    Json event = decision(more);
    event["seen"]["signals"][0]["kind"] = "value";
    return arithmetic_of(event);
  };
  EXPECT_EQ(value(R"({"stable": 4})"), "2 ready x 4 / 2.8 = 2.857, so 3");
  EXPECT_EQ(value(R"({"stable": 28, "limited": true})"),
            "2 ready x 28 / 2.8 = 20, so 20 were wanted, which is above max-scale");
}

/// Tells times of the day as in UTC.
class KeptUntil : public ::testing::Test {
 protected:
  void SetUp() override {
    ::setenv("TZ", "UTC0", 1);
    ::tzset();
  }
};

TEST_F(KeptUntil, ADelayKeepsTheLargestNumberUntilItIsAsOld) {
  // 08:00:00 on the 2nd of January 1970, 1001 s after the machine's start.
  Json event = decision(R"({"ms": 115200000, "at_ns": 1001000000000, "reason": "delay",
      "policy": {"scale_down_delay_s": 60},
      "before": {"delayed": [{"slot": 470, "desired": 9}, {"slot": 480, "desired": 5},
                             {"slot": 499, "desired": 3}]}})");
  EXPECT_EQ(arithmetic_of(event), "5 wanted at 07:59:19 are kept until 08:00:19");
  event["before"]["delayed"] = Json::array();
  EXPECT_EQ(arithmetic_of(event), "");
}

TEST_F(KeptUntil, TheLastReplicaIsKeptForRetentionOrGrace) {
  Json event = decision(R"({"ms": 115200000, "reason": "retention",
      "policy": {"retention_s": 300, "grace_s": 30}, "before": {"idle_s": 100, "proxied_s": 5}})");
  EXPECT_EQ(arithmetic_of(event), "the last one is kept until 08:03:20 unless requests come");
  event["before"]["idle_s"] = nullptr;
  EXPECT_EQ(arithmetic_of(event), "the last one is kept until 08:05:00 unless requests come");
  event["reason"] = "grace";
  EXPECT_EQ(arithmetic_of(event), "the last one is kept until 08:00:25 unless requests come");
  event.erase("before");
  EXPECT_EQ(arithmetic_of(event), "");
}

TEST(Sentences, OtherReasonsNeedNoArithmetic) {
  for (const char* reason :
       {"idle", "floor", "bounds", "hold", "initial", "delay", "retention", "grace"}) {
    Json event = decision("{}");
    event["reason"] = reason;
    EXPECT_EQ(arithmetic_of(event), "") << reason;
  }
  EXPECT_EQ(arithmetic_of(decision(R"({"seen": {"signals": []}})")), "");
  EXPECT_EQ(arithmetic_of(decision(R"({"leading": 9})")), "");
  EXPECT_EQ(arithmetic_of(decision(R"({"stable": 0})")), "");
  EXPECT_EQ(arithmetic_of(Json::parse("[]")), "");
}

TEST(Sentences, OfALongRowOfFailedPatchesEverySecondPowerIsTold) {
  std::string attempts;
  for (int attempt = 1; attempt <= 20; ++attempt) {
    Json event{{"event", "patch"}, {"to", 2},           {"attempt", attempt}, {"taken", false},
               {"took_us", 2000},  {"retry_us", 9'000}, {"status", 500},      {"error", "e"}};
    if (!sentence_of(event).empty()) attempts += std::to_string(attempt) + " ";
  }
  EXPECT_EQ(attempts, "1 2 4 8 16 ");
  const Json first = Json::parse(R"({"event": "patch", "to": 2, "attempt": 2, "taken": false,
      "took_us": 2000, "retry_us": 40000, "status": 500, "error": "unexpected HTTP status"})");
  EXPECT_EQ(sentence_of(first),
            "the API did not take 2 at the 2nd attempt after 2.0 ms: unexpected HTTP status (HTTP "
            "500); tried again in 40 ms");
  EXPECT_EQ(sentence_of(Json::parse(R"({"event": "patch", "to": 2, "attempt": 1, "taken": true})")),
            "");
  EXPECT_EQ(
      sentence_of(Json::parse(R"({"event": "patch", "to": 2, "attempt": 11, "taken": true})")),
      "the API took 2 at the 11th attempt");
}

TEST(Sentences, WhatTheApiSaidTakesThePlaceOfWhatItsStatusMeans) {
  EXPECT_EQ(sentence_of(Json::parse(
                R"({"event": "patch", "to": 2, "attempt": 1, "taken": false, "took_us": 2000,
                    "retry_us": 40000, "status": 403, "error": "wrong or missing credentials",
                    "message": "denied by policy"})")),
            "the API did not take 2 at the 1st attempt after 2.0 ms: denied by policy (HTTP 403); "
            "tried again in 40 ms");
}

TEST(Sentences, OnlyTheLastFiveLinesOfWhatAnAppWroteAreTold) {
  const Json event = Json::parse(R"({"event": "replica", "phase": "exited", "replica": "r",
      "container": "c", "exit_code": 1, "restarts": 21, "last_words": "1\n2\n3\n4\n5\n6\n7\n"})");
  EXPECT_EQ(sentence_of(event),
            "r: c exited with 1, for the 21st time; its last words:\n    | 3\n    | 4\n    | 5\n"
            "    | 6\n    | 7");
  const Json silent = Json::parse(R"({"event": "replica", "phase": "exited", "replica": "r",
      "container": "c", "exit_code": 0})");
  EXPECT_EQ(sentence_of(silent), "r: c exited with 0; it wrote nothing");
}

TEST(Sentences, NumbersThatCannotBeAreBroughtToSomethingThatCan) {
  const auto told = [](const char* text) { return sentence_of(Json::parse(text)); };
  EXPECT_EQ(arithmetic_of(decision(R"({"stable": 1e308, "limited": true})")),
            "1e+308 / 2.8 per replica = 3.571e+307, so 3.571e+307 were wanted, which is above "
            "max-scale");
  EXPECT_EQ(arithmetic_of(decision(R"({"stable": 1e308,
                                       "seen": {"signals": [{"kind": "average", "target": 0.1}]}})")),
            "")
      << "infinite";
  EXPECT_EQ(arithmetic_of(decision(R"({"leading": -1})")), "");
  EXPECT_EQ(arithmetic_of(decision(R"({"leading": 1e300})")), arithmetic_of(decision("{}")))
      << "no integer";
  EXPECT_EQ(told(R"({"event": "patch", "to": 2, "attempt": -9223372036854775808, "taken": false,
                     "took_us": -1, "error": "e"})"),
            "the API did not take 2 at the 1st attempt after 0.0 ms: e; given up");
  EXPECT_EQ(told(R"({"event": "cold_start", "to_ready_us": 1000, "phases_us":
                     {"start": 9223372036854775807, "listen": 9223372036854775807}})"),
            "replica ready after 1.0 ms: start 1000000000.00 s, listen 1000000000.00 s; 50 % of it "
            "was starting the process");
}

TEST(Sentences, WhatAnAppWroteDoesNotReachTheTerminalAsItIs) {
  const Json event = Json::parse(R"({"event": "replica", "phase": "exited", "replica": "r",
      "container": "c", "exit_code": 1, "last_words": "\u001b[31mred\r\n\ta\u009b2Jb\u007f"})");
  EXPECT_EQ(sentence_of(event),
            "r: c exited with 1; its last words:\n    | \\x1b[31mred\\x0d\n    | \ta\\x9b2Jb\\x7f");
}

TEST(Sentences, AnUnknownEventIsLeftOut) {
  EXPECT_EQ(sentence_of(Json::parse(R"({"event": "from the future"})")), "");
  EXPECT_EQ(sentence_of(Json::parse(R"({"event": "poke", "parked": 3})")), "");
  EXPECT_EQ(sentence_of(Json::parse(R"({"event": "refusals", "sidecars": {"bounced": 7}})")), "")
      << "those were placed again";
}

TEST(Sentences, WhoElseScalesItAndWhatKeepsPodsFromBeingMadeIsTold) {
  EXPECT_EQ(
      sentence_of(Json::parse(R"({"event": "left_alone", "scaled_by": "KEDA ScaledObject q"})")),
      "KEDA ScaledObject q scales it, so nothing is decided here until that is gone");
  EXPECT_EQ(sentence_of(Json::parse(R"({"event": "left_alone", "scaled_by": ""})")),
            "nobody else scales it any more: decisions are taken again");
  EXPECT_EQ(sentence_of(Json::parse(R"({"event": "refused", "reason": "FailedCreate: quota"})")),
            "no Pod can be made: FailedCreate: quota");
  EXPECT_EQ(sentence_of(Json::parse(R"({"event": "wake_failed", "waited_us": 1000000,
                                        "cause": "deadline", "refused": "FailedCreate: quota"})")),
            "a request waited 1.00 s and no replica took it (deadline): no Pod can be made: "
            "FailedCreate: quota");
}

TEST(Sentences, AWakeThatLedToNothingSaysAllThatIsKnownOfWhy) {
  const auto why = [](const char* fields) {
    Json event = Json::parse(fields);
    event["event"] = "wake_failed";
    event["waited_us"] = 1'000'000;
    event["cause"] = "deadline";
    const std::string text = sentence_of(event);
    const std::string_view before = "a request waited 1.00 s and no replica took it (deadline): ";
    EXPECT_EQ(text.substr(0, before.size()), before);
    return text.substr(std::min(text.size(), before.size()));
  };
  EXPECT_EQ(why(R"({"scaled_by": "KEDA ScaledObject q"})"),
            "KEDA ScaledObject q scales this Deployment, pilotlight leaves it alone");
  EXPECT_EQ(why(R"j({"not_taken": "the API does not take 1 replica: denied (HTTP 403)"})j"),
            "the API does not take 1 replica: denied (HTTP 403)");
  EXPECT_EQ(why(R"({"replica": "r", "warning": "FailedMount: no volume"})"),
            "r has not started yet: FailedMount: no volume");
  EXPECT_EQ(why(R"({"replica": "r"})"), "r has not started yet");
  EXPECT_EQ(why("{}"), "no Pod was made for it; see whether the API takes the number of replicas");
  EXPECT_EQ(sentence_of(Json::parse(R"({"event": "replica", "phase": "warning", "replica": "r",
                                        "reason": "FailedMount: no volume"})")),
            "r does not start yet: FailedMount: no volume");
}

}  // namespace
}  // namespace pilotlight::cli
