#include "autoscaler/recording.h"

#include <sstream>

#include <gtest/gtest.h>

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

const wire::RevisionKey kKey{"default", "iris"};
const std::string kName = "default/iris";

/// A run over 60 s with a burst, decided every 2 s by one process, then told as if it had been
/// several: the lines of its recording.
class RecordingTest : public ::testing::Test {
 protected:
  RecordingTest() {
    policy.stable_window = 20s;
    policy.initial_scale = 0;
    for (std::int64_t second = 0; second < 60; ++second) {
      const double demand = second >= 20 && second < 26 ? 30 : 3;
      stable.record(second, demand);
      panic.record(second, demand);
      text << second_line(kKey, epoch_at(second), second, demand) << "\n";
      if (second % 2 == 1) turn(second);
    }
  }

  [[nodiscard]] static std::uint64_t epoch_at(std::int64_t second) {
    return 1 + static_cast<std::uint64_t>(second / 10);
  }

  void turn(std::int64_t second) {
    RecordedTurn turn;
    turn.epoch = epoch_at(second);
    turn.closed = second;
    turn.panic_seconds = 2;
    LoggedDecision& logged = turn.logged;
    logged.at = TimePoint(std::chrono::seconds(second + 1));
    logged.policy = policy;
    Signal signal;
    signal.name = "concurrency";
    signal.stable = stable.average(second);
    signal.panic = panic.average(second);
    signal.target = 2;
    logged.seen.signals = {signal};
    logged.seen.ready = logged.seen.replicas = replicas;
    logged.before = state;
    logged.decision = decide(logged.seen, policy, state, logged.at);
    replicas = logged.desired();
    turns.push_back(turn);
  }

  [[nodiscard]] AsOne take() {
    for (const RecordedTurn& each : turns) text << turn_line(kKey, "iris", each) << "\n";
    std::istringstream in(text.str() + "{\"second\": 7, \"dema");  // cut short by a crash
    const auto read = read_recording(in, "x");
    EXPECT_TRUE(read.has_value());
    return take_as_one(read->at(kName));
  }

  Policy policy;
  DeciderState state;
  TimeWindow stable{20, Averaging::linear};
  TimeWindow panic{2, Averaging::linear};
  std::int32_t replicas = 2;
  std::vector<RecordedTurn> turns;
  std::ostringstream text;
};

TEST_F(RecordingTest, WhatOneProcessDecidedIsWhatOneProcessDecides) {
  const AsOne one = take();
  EXPECT_EQ(one.agreed, 30U);
  EXPECT_EQ(one.patient, 30U);
  EXPECT_EQ(one.different, 0U);
  EXPECT_EQ(one.processes, 6U);
}

TEST_F(RecordingTest, OneThatHasBeenThereAllTheTimeWaitsForNobody) {
  // The first process was still waiting for what one before it might have known.
  turns.front().returning = true;
  turns.front().logged.before.hold_until = TimePoint(40s);
  const AsOne one = take();
  EXPECT_EQ(one.agreed, 30U);
  EXPECT_EQ(one.different, 0U);
}

TEST_F(RecordingTest, ATurnLateIsWithinATurn) {
  for (std::size_t i = 0; i + 1 < turns.size(); ++i) {
    const bool rises = turns[i].logged.desired() > turns[i].logged.from();
    if (!rises) continue;
    turns[i].logged.decision.desired = turns[i].logged.from();
    break;
  }
  const AsOne one = take();
  EXPECT_EQ(one.agreed, 30U);
  EXPECT_EQ(one.different, 1U);
}

TEST_F(RecordingTest, AForgottenPanicIsFound) {
  // A process that begins after the burst without the state of the one before.
  DeciderState fresh;
  std::size_t first = 0;
  for (std::size_t i = 15; i < turns.size(); ++i) {  // from second 31 on
    LoggedDecision& logged = turns[i].logged;
    logged.decision = decide(logged.seen, policy, fresh, logged.at);
    if (first == 0 && logged.desired() < logged.from()) first = i;
  }
  ASSERT_GT(first, 0U);
  EXPECT_LT(take().agreed, 30U);
}

TEST_F(RecordingTest, WhatWasChangedFromOutsideIsTakenOver) {
  DeciderState fresh;
  for (std::size_t i = 15; i < turns.size(); ++i) {
    LoggedDecision& logged = turns[i].logged;
    logged.before = fresh;
    logged.decision = decide(logged.seen, policy, fresh, logged.at);
  }
  turns[15].given = true;
  const AsOne one = take();
  EXPECT_EQ(one.agreed, 30U);
  EXPECT_EQ(one.different, 0U);
}

TEST_F(RecordingTest, OtherWindowsAreFound) {
  for (std::size_t i = 12; i < turns.size(); ++i) {
    turns[i].logged.decision.desired = turns[i].logged.desired() + 1;
  }
  EXPECT_EQ(take().agreed, 12U);
}

TEST_F(RecordingTest, ImpatienceIsFound) {
  for (std::size_t i = 0; i < turns.size(); ++i) {
    if (turns[i].logged.desired() >= turns[i].logged.from()) continue;
    turns[i].returning = true;
    EXPECT_EQ(take().patient, i);
    return;
  }
  FAIL() << "the run never goes down";
}

TEST_F(RecordingTest, ASecondThatTwoProcessesSawDifferentlyIsTold) {
  text << second_line(kKey, 9, 5, 2.75) << "\n";
  std::istringstream in(text.str());
  const auto read = read_recording(in, "x");
  EXPECT_EQ(read->at(kName).largest_difference(), 0.25);
  EXPECT_EQ(read->at(kName).seconds.at(5).seen_by(0), 3) << "one that lives forgets nothing";
}

TEST_F(RecordingTest, WhatCameLateIsSeenByTheTurnsThatFollow) {
  std::istringstream in(text.str() + turn_line(kKey, "iris", turns[0]) + "\n" +
                        second_line(kKey, epoch_at(5), 5, 1.5, true) + "\n");
  const auto read = read_recording(in, "x");
  const Recording::Told& second = read->at(kName).seconds.at(5);
  EXPECT_EQ(second.seen_by(0), 3) << "it came after that turn";
  EXPECT_EQ(second.seen_by(1), 4.5);
  EXPECT_EQ(read->at(kName).largest_difference(), 0);
}

TEST_F(RecordingTest, WhatOnlyTheNextProcessHeardIsLateForOneThatLives) {
  // A report came when its second was closed and the process that had closed it was killed.
  std::istringstream in(text.str() + turn_line(kKey, "iris", turns[0]) + "\n" +
                        second_line(kKey, 9, 5, 4.5) + "\n" + second_line(kKey, 9, 5, 1, true) +
                        "\n");
  const auto read = read_recording(in, "x");
  const Recording::Told& second = read->at(kName).seconds.at(5);
  EXPECT_EQ(second.seen_by(0), 3);
  EXPECT_EQ(second.seen_by(1), 5.5) << "what it was told in the history, and what came then";
  EXPECT_EQ(read->at(kName).largest_difference(), 2.5);
}

TEST_F(RecordingTest, WhatDoesNotReadIsNamed) {
  std::istringstream in("{\"second\": \"x\"}\n");
  const auto read = read_recording(in, "file");
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().front().rfind("file:1: ", 0), 0U);
}

}  // namespace
}  // namespace pilotlight::autoscaler
