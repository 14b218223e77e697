#include "proxy/readiness.h"

#include <deque>
#include <map>

#include <gtest/gtest.h>

#include "tests/support/sim_clock.h"

namespace pilotlight::proxy {
namespace {

using namespace std::chrono_literals;

TEST(ProbeInterval, IsOnePercentOfTheTimeWaitedWithinBounds) {
  EXPECT_EQ(probe_interval(0ms), 2ms);
  EXPECT_EQ(probe_interval(200ms), 2ms);
  EXPECT_EQ(probe_interval(1s), 10ms);
  EXPECT_EQ(probe_interval(10s), 100ms);
  EXPECT_EQ(probe_interval(10min), 100ms);
}

/// Answers each try as the test says: at once, or never before its deadline.
class FakeProber final : public Prober {
 public:
  explicit FakeProber(Clock& clock) : clock_(clock) {}

  /// What the tries of a probe find, by its port; the last answer repeats.
  std::map<std::uint16_t, std::deque<bool>> answers;
  bool hang = false;  ///< Every try takes until its deadline.
  int tries = 0;
  int running = 0;
  int stopped = 0;
  Duration longest_allowed{};

  Task<ProbeTry> attempt(const ReadinessProbe& probe, TimePoint deadline,
                         Interruption& stop) override {
    ++tries;
    longest_allowed = std::max(longest_allowed, deadline - clock_.now());
    ProbeTry found;
    if (hang) {
      ++running;
      Event end(clock_);
      const Interruption::Target target(
          stop, [](void* event) { static_cast<Event*>(event)->set(); }, &end);
      co_await end.wait(deadline);
      --running;
      stopped += stop.raised() ? 1 : 0;
      co_return found;
    }
    std::deque<bool>& next = answers[probe.address.port()];
    found.ok = !next.empty() && next.front();
    found.connected = found.ok;
    if (next.size() > 1) next.pop_front();
    co_return found;
  }

 private:
  Clock& clock_;
};

class ReadinessTest : public ::testing::Test, protected ReadinessListener {
 protected:
  void TearDown() override {
    if (readiness_) readiness_->stop();
    clock_.settle();
    EXPECT_EQ(scope_.size(), 0U) << "nothing runs that nobody waits for";
  }
  void app_ready(Duration, Duration ready) override {
    ++ready_;
    took_ = ready;
  }
  void app_lost() override { ++lost_; }

  static ReadinessProbe probe(std::uint16_t port, std::uint32_t threshold = 1) {
    ReadinessProbe made;
    made.address.port(port);
    made.success_threshold = threshold;
    return made;
  }
  static ReadinessProbe periodic(std::uint16_t port, Duration timeout = 3s) {
    ReadinessProbe made = probe(port, 5);
    made.period = 10s;
    made.timeout = timeout;
    return made;
  }
  Readiness& start(std::vector<ReadinessProbe> probes) {
    ReadinessListener& listener = *this;
    readiness_.emplace(clock_, scope_, prober_, std::move(probes), listener);
    return *readiness_;
  }
  Task<> check(Interruption& interruption, int& answer) {
    const bool ok = co_await readiness_->check(interruption);
    answer = ok ? 1 : 0;
  }
  /// What a check that begins now says, after `time`; -1: nothing yet.
  int checked_after(Duration time) {
    int answer = -1;
    Interruption none;
    scope_.spawn(check(none, answer));
    clock_.advance(time);
    const int said = answer;
    none.raise(Cause::left);  // who has not been told by now waits no longer
    clock_.settle();
    return said;
  }

  asio::io_context loop_{1};
  test::SimClock clock_{loop_};
  Scope scope_{loop_.get_executor()};
  FakeProber prober_{clock_};
  std::optional<Readiness> readiness_;
  int ready_ = 0;
  int lost_ = 0;
  Duration took_{};
};

TEST_F(ReadinessTest, WithoutAProbeItIsReadyAtOnce) {
  scope_.spawn(start({}).run());
  clock_.settle();
  EXPECT_EQ(ready_, 1);
  EXPECT_EQ(checked_after(0s), 1);
}

TEST_F(ReadinessTest, TheFirstTryIsAtOnceAndAStartOfManyMinutesIsSeenWithinATenthOfASecond) {
  scope_.spawn(start({probe(1)}).run());
  clock_.settle();
  EXPECT_EQ(prober_.tries, 1);
  clock_.advance(20ms);
  EXPECT_GE(prober_.tries, 10) << "early on, every 2 ms";
  clock_.advance(15min);
  EXPECT_EQ(ready_, 0);
  prober_.answers[1] = {true};
  clock_.advance(100ms);
  EXPECT_EQ(ready_, 1);
  EXPECT_LE(prober_.longest_allowed, 100ms);
  const int tries = prober_.tries;
  clock_.advance(1h);
  EXPECT_EQ(prober_.tries, tries) << "a ready app is left alone";
}

TEST_F(ReadinessTest, OnlySuccessesInARowCount) {
  prober_.answers[1] = {true, true, false, true, true, true, false};
  scope_.spawn(start({probe(1, 3)}).run());
  clock_.advance(8ms);
  EXPECT_EQ(ready_, 0);
  EXPECT_EQ(prober_.tries, 5);
  clock_.advance(2ms);
  EXPECT_EQ(ready_, 1) << "the third in a row";
}

TEST_F(ReadinessTest, TheSuccessesInARowAreKeptBetweenChecks) {
  prober_.answers[1] = {true};
  start({probe(1, 3)});
  EXPECT_EQ(checked_after(2ms), -1);
  EXPECT_EQ(checked_after(2ms), 1) << "two before and one now";
  prober_.tries = 0;
  EXPECT_EQ(checked_after(0s), 1);
  EXPECT_EQ(prober_.tries, 1) << "nothing else is kept: each check probes";
}

TEST_F(ReadinessTest, APeriodicProbeIsTriedOnceWithItsTimeoutAndThresholdsAreIgnored) {
  prober_.answers[1] = {false, true};
  start({periodic(1)});
  EXPECT_EQ(checked_after(0s), 0);
  EXPECT_EQ(prober_.tries, 1);
  EXPECT_EQ(prober_.longest_allowed, 3s);
  EXPECT_EQ(checked_after(0s), 1) << "one success is enough";
}

TEST_F(ReadinessTest, TheStartLoopRepeatsAPeriodicProbeUntilItPasses) {
  scope_.spawn(start({periodic(1)}).run());
  clock_.advance(5min);
  EXPECT_EQ(ready_, 0);
  prober_.answers[1] = {true};
  clock_.advance(100ms);
  EXPECT_EQ(ready_, 1);
}

TEST_F(ReadinessTest, AllProbesRunAtTheSameTimeAndAllMustPass) {
  prober_.hang = true;
  start({probe(1), periodic(2), probe(3)});
  int answer = -1;
  Interruption gone;
  scope_.spawn(check(gone, answer));
  clock_.settle();
  EXPECT_EQ(prober_.running, 3);
  gone.raise(Cause::left);
  clock_.settle();
  prober_.hang = false;
  prober_.answers = {{1, {true}}, {2, {true}}, {3, {false}}};
  EXPECT_EQ(checked_after(1s), -1);
  prober_.answers[3] = {true};
  EXPECT_EQ(checked_after(0s), 1);
  prober_.answers[2] = {false};
  EXPECT_EQ(checked_after(0s), 0) << "one that fails for good ends the round";
}

TEST_F(ReadinessTest, WhoAsksDuringTheStartSharesTheLoopsProbeAndWaitsTenSecondsAtMost) {
  scope_.spawn(start({probe(1)}).run());
  clock_.advance(1min);
  prober_.tries = 0;
  EXPECT_EQ(checked_after(Readiness::kCheckTime - 1ns), -1);
  EXPECT_LE(prober_.tries, 101) << "one loop, not two";
  EXPECT_EQ(checked_after(Readiness::kCheckTime), 0);
  int answer = -1;
  Interruption none;
  scope_.spawn(check(none, answer));
  prober_.answers[1] = {true};
  clock_.advance(100ms);
  EXPECT_EQ(answer, 1);
  EXPECT_EQ(ready_, 1) << "loop and kubelet learn it from the same try";
}

TEST_F(ReadinessTest, AProbeThatNobodyWaitsForAnyMoreIsCancelled) {
  prober_.hang = true;
  start({periodic(1, 60s)});
  int first = -1;
  int second = -1;
  Interruption one;
  Interruption two;
  scope_.spawn(check(one, first));
  scope_.spawn(check(two, second));
  clock_.settle();
  EXPECT_EQ(prober_.tries, 1) << "they share it";
  one.raise(Cause::left);
  clock_.settle();
  EXPECT_EQ(first, 0) << "who leaves does not wait";
  EXPECT_EQ(prober_.running, 1) << "the other one still does";
  two.raise(Cause::left);
  clock_.settle();
  EXPECT_EQ(prober_.running, 0);
  EXPECT_EQ(prober_.stopped, 1);
}

TEST_F(ReadinessTest, ALostAppIsProbedAgainFromTheStart) {
  prober_.answers[1] = {true, true, false};
  scope_.spawn(start({probe(1, 2)}).run());
  clock_.advance(2ms);
  EXPECT_EQ(ready_, 1);
  readiness_->lost();
  readiness_->lost();
  EXPECT_EQ(lost_, 1);
  clock_.advance(1s);
  EXPECT_EQ(ready_, 1);
  prober_.answers[1] = {true};
  clock_.advance(100ms);
  EXPECT_EQ(ready_, 2);
  EXPECT_GE(took_, 1s);
}

TEST_F(ReadinessTest, StopEndsTheLoopAndWhatItAsked) {
  prober_.hang = true;
  scope_.spawn(start({probe(1), periodic(2)}).run());
  clock_.settle();
  EXPECT_EQ(prober_.running, 2);
  readiness_->stop();
  clock_.settle();
  EXPECT_EQ(prober_.running, 0);
  EXPECT_EQ(scope_.size(), 0U);
}

}  // namespace
}  // namespace pilotlight::proxy
