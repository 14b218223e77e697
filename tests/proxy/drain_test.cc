#include "proxy/drain.h"

#include <optional>

#include <gtest/gtest.h>

#include "common/async/scope.h"
#include "tests/support/sim_clock.h"

namespace pilotlight::proxy {
namespace {

using namespace std::chrono_literals;

/// A drain in virtual time, with a party that only remembers.
class DrainTest : public ::testing::Test, protected DrainParty {
 protected:
  void SetUp() override { scope_.spawn(drain_.run()); }
  void TearDown() override {
    drain_.stop();
    clock_.settle();
    EXPECT_EQ(scope_.size(), 0U);
  }

  void drain_changed(bool begun) override { changes_ += begun ? 'b' : 'o'; }
  void fenced() override { fenced_ = true; }
  std::uint32_t in_flight() const override { return in_flight_; }
  void end(int exit_code) override {
    exit_code_ = exit_code;
    drain_.stop();
  }

  Task<> wait(Drain::Hook which, bool& returned) {
    const Drain::Visit visit(drain_);
    co_await drain_.hook(which);
    returned = true;
  }
  void hook(Drain::Hook which, bool& returned) {
    scope_.spawn(wait(which, returned));
    clock_.settle();
  }
  void request(bool hop) {
    fence_.request(clock_.now(), hop);
    drain_.progress();
  }

  static constexpr auto kKnatives = Drain::Hook::wait_for_drain;
  static constexpr auto kOurs = Drain::Hook::begin_drain;

  asio::io_context loop_{1};
  test::SimClock clock_{loop_};
  Scope scope_{loop_.get_executor()};
  DrainFence fence_{DrainFence::Params()};
  Drain drain_{clock_, fence_, *this, {.finish_limit = 60s}};
  std::string changes_;
  std::uint32_t in_flight_ = 0;
  bool fenced_ = false;
  int exit_code_ = -1;
};

TEST_F(DrainTest, ASignalEndsItAfterThirtyQuietSeconds) {
  drain_.signal();
  EXPECT_TRUE(fence_.begun()) << "probes fail from the first instant";
  clock_.advance(29s);
  request(/*hop=*/false);
  clock_.advance(30s - 1ns);
  EXPECT_FALSE(fenced_);
  EXPECT_EQ(exit_code_, -1);
  clock_.advance(1ns);
  EXPECT_TRUE(fenced_);
  EXPECT_EQ(exit_code_, 0);
}

TEST_F(DrainTest, WhatIsUnderWayIsWaitedForAndTheWaitIsBounded) {
  in_flight_ = 1;
  drain_.signal();
  clock_.advance(30s);
  EXPECT_TRUE(fenced_);
  clock_.advance(59s);
  EXPECT_EQ(exit_code_, -1);
  in_flight_ = 0;
  drain_.progress();
  clock_.settle();
  EXPECT_EQ(exit_code_, 0) << "at once, not at the next poll";
}

TEST_F(DrainTest, ATunnelThatNeverEndsDoesNotHoldTheProcessForEver) {
  in_flight_ = 1;
  drain_.signal();
  clock_.advance(90s - 1ns);
  EXPECT_EQ(exit_code_, -1);
  clock_.advance(1ns);
  EXPECT_EQ(exit_code_, 0);
}

TEST_F(DrainTest, ASecondSignalEndsItAtOnceWithOne) {
  in_flight_ = 1;
  drain_.signal();
  clock_.advance(5s);
  drain_.signal();
  EXPECT_EQ(exit_code_, 1);
}

TEST_F(DrainTest, KnativesHookJoinsTheDrainOfASignal) {
  bool before = false;
  bool after = false;
  hook(kKnatives, before);
  clock_.advance(900ms);
  drain_.signal();
  hook(kKnatives, after);
  clock_.advance(29s);
  EXPECT_FALSE(before || after);
  EXPECT_EQ(changes_, "b") << "one drain";
  clock_.advance(100ms);
  EXPECT_TRUE(before && after) << "30 s after the hook began it";
  EXPECT_EQ(exit_code_, 0);
}

TEST_F(DrainTest, KnativesHookWithoutASignalIsCalledOffAfterASecond) {
  bool returned = false;
  hook(kKnatives, returned);
  clock_.advance(1s - 1ns);
  EXPECT_FALSE(returned);
  EXPECT_TRUE(fence_.begun());
  clock_.advance(1ns);
  EXPECT_TRUE(returned);
  EXPECT_FALSE(fence_.begun()) << "probes recover";
  EXPECT_EQ(changes_, "bo");
  clock_.advance(1h);
  EXPECT_FALSE(fenced_);
  drain_.signal();
  clock_.advance(30s);
  EXPECT_EQ(exit_code_, 0) << "the real end comes later";
}

TEST_F(DrainTest, AHookThatMayBeCalledOffClosesNothingEvenWhenTheFenceIsUp) {
  bool returned = false;
  hook(kKnatives, returned);
  fence_.drained();
  drain_.progress();
  clock_.advance(500ms);
  EXPECT_FALSE(fenced_);
  clock_.advance(500ms);
  EXPECT_TRUE(returned);
  EXPECT_FALSE(fenced_) << "it was a restart: this sidecar goes on";
}

TEST_F(DrainTest, OurHookStaysUntilDrainedAndTheSignalAfterItEndsTheProcess) {
  bool ours = false;
  bool knatives = false;
  hook(kOurs, ours);
  hook(kKnatives, knatives);
  clock_.advance(10s);
  EXPECT_TRUE(fence_.begun()) << "not called off";
  EXPECT_FALSE(ours || knatives);
  fence_.drained();
  drain_.progress();
  clock_.settle();
  EXPECT_TRUE(ours && knatives && fenced_);
  EXPECT_EQ(exit_code_, -1) << "kubelet sends the signal once the hooks are through";
  bool late = false;
  hook(kKnatives, late);
  EXPECT_TRUE(late) << "over already";
  drain_.signal();
  clock_.settle();
  EXPECT_EQ(exit_code_, 0);
}

TEST_F(DrainTest, TheProcessStaysUntilItsHooksHaveBeenAnswered) {
  std::optional<Drain::Visit> being_answered(drain_);
  drain_.signal();
  clock_.advance(31s);
  EXPECT_TRUE(fenced_);
  EXPECT_EQ(exit_code_, -1);
  being_answered.reset();
  clock_.settle();
  EXPECT_EQ(exit_code_, 0);
}

TEST_F(DrainTest, DrainedReplacesTheQuietRuleOnlyWhereAllTrafficComesThroughActivators) {
  request(/*hop=*/true);
  drain_.signal();
  fence_.drained();
  drain_.progress();
  clock_.settle();
  EXPECT_EQ(exit_code_, 0);
}

TEST_F(DrainTest, ADirectClientMakesItWaitForQuietAllTheSame) {
  request(/*hop=*/false);
  drain_.signal();
  fence_.drained();
  drain_.progress();
  clock_.advance(30s - 1ns);
  EXPECT_EQ(exit_code_, -1);
  clock_.advance(1ns);
  EXPECT_EQ(exit_code_, 0);
}

}  // namespace
}  // namespace pilotlight::proxy
