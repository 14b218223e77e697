// A restarted autoscaler decides as the one before it would have: the same run, once without and
// once with a kill every 10 s, has the same decisions at every turn.

#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "tests/autoscaler/return_world.h"

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLength = 130s;

SubjectView view(std::int32_t replicas = 1) {
  SubjectView out;
  out.key = {"default", "iris-00001"};
  out.service = "iris";
  out.deployment = "iris-00001-deployment";
  out.replicas = replicas;
  out.generation = 7;
  out.policy.container_concurrency = 10;
  out.policy.initial_scale = 0;
  return out;
}

std::uint32_t whole(double value) { return static_cast<std::uint32_t>(std::max(0.0, value)); }
double in_seconds(Duration at) { return std::chrono::duration<double>(at).count(); }

/// Up for a minute, then down again.
Offered ramp(Duration at) {
  const double t = in_seconds(at);
  Offered out;
  out.via_activator = whole(t < 60 ? t : 120 - t);
  return out;
}

/// A little, a burst of twenty times that for 8 s, and little again: panic and its end.
Offered burst(Duration at) {
  Offered out;
  out.via_activator = at >= 31s && at < 39s ? 80 : 4;
  return out;
}

/// Much, then nothing: rate limits on the way down, then asleep.
Offered decay(Duration at) {
  Offered out;
  out.via_activator = at < 40s ? 60 : 0;
  return out;
}

/// Both ways in, with different rhythms.
Offered mixed(Duration at) {
  const double t = in_seconds(at);
  Offered out;
  out.via_activator = whole(20 + 18 * std::sin(t / 7));
  out.direct = whole(12 + 10 * std::sin(t / 11));
  return out;
}

Offered waves(Duration at) {
  const double t = in_seconds(at);
  Offered out;
  out.via_activator = whole(25 + 25 * std::sin(t / 4));
  out.turnover = whole(6 + 6 * std::sin(t / 9));
  out.wait_us = static_cast<std::uint64_t>(whole(900'000 * (1 + std::sin(t / 5))));
  return out;
}

struct Runs {
  ReturnWorld without;
  ReturnWorld with;
  std::size_t kills = 0;

  explicit Runs(const ReturnWorld::Plan& plan) : without(plan), with(plan) {}

  /// Kills one of the two `after` every fifth turn.
  void run(Duration after) {
    TimePoint next = with.subject().next_tick + after;
    for (const TimePoint end = with.now() + kLength; with.now() < end;) {
      without.step();
      with.step();
      if (with.now() < next || kills == 12) continue;
      with.kill();
      ++kills;
      next += 10s;
    }
  }
};

std::string told(const Decision& d) {
  return std::to_string(d.desired.value_or(-1)) + " " + std::string(to_string(d.reason)) + " " +
         std::to_string(d.stable) + " " + std::to_string(d.panic) + (d.panicking ? " panic" : "");
}

void expect_same(const ReturnWorld::Plan& plan, Duration after, bool panics = false,
                 std::size_t changes = 2) {
  Runs runs(plan);
  runs.run(after);
  EXPECT_EQ(runs.kills, 12U);
  ASSERT_GE(runs.without.decisions.size(), 60U);
  ASSERT_EQ(runs.with.decisions.size(), runs.without.decisions.size());
  bool panicked = false;
  for (const auto& [at, expected] : runs.without.decisions) {
    panicked |= expected.panicking;
    const Decision& got = runs.with.decisions.at(at);
    ASSERT_TRUE(got == expected) << in_seconds(at.time_since_epoch()) << " s: " << told(got)
                                 << ", expected " << told(expected);
  }
  EXPECT_EQ(runs.with.counts, runs.without.counts);
  EXPECT_GE(runs.without.counts.size(), changes) << "a run that decides nothing proves nothing";
  EXPECT_EQ(panicked, panics);
}

ReturnWorld::Plan plan_of(Shape shape, SubjectView of = view()) {
  ReturnWorld::Plan plan;
  plan.view = std::move(of);
  plan.shape = std::move(shape);
  plan.activator_after = 150ms;
  plan.sidecar_after = 100ms;
  return plan;
}

TEST(Return, OnARampEveryDecisionIsTheSame) { expect_same(plan_of(ramp), 100ms, true, 5); }

TEST(Return, ADeploymentThatNobodyHasScaledYetIsWaitedForToo) {
  ReturnWorld::Plan plan = plan_of(ramp);
  plan.view.generation = 1;
  plan.view.policy.container_concurrency = 100;  // one replica does for all of it
  plan.view.policy.initial_scale = 1;
  expect_same(plan, 100ms, false, 0);
}

TEST(Return, APanicAndItsEndAreTheSame) { expect_same(plan_of(burst), 700ms, true); }

TEST(Return, TheWayDownAndToSleepIsTheSame) { expect_same(plan_of(decay), 100ms, true); }

TEST(Return, ScaleDownDelayRemembersAcrossProcesses) {
  SubjectView delayed = view();
  delayed.policy.scale_down_delay = 30s;
  expect_same(plan_of(decay, delayed), 400ms, true);
  delayed.policy.stable_window = 10s;
  expect_same(plan_of(ramp, delayed), 400ms, true);
}

TEST(Return, DirectAndProxiedTrafficIsCountedOnce) {
  SubjectView direct = view(2);
  direct.policy.target_burst_capacity = 20;
  direct.policy.stable_window = 12s;
  expect_same(plan_of(mixed, direct), 100ms, true, 4);
}

TEST(Return, OtherWindowsMetricsAndSignalsAreTheSame) {
  SubjectView other = view();
  other.policy.aggregation = config::ScalingPolicy::Aggregation::weighted_exponential;
  other.policy.stable_window = 20s;
  expect_same(plan_of(waves, other), 250ms, true, 4);
  other.policy.aggregation = config::ScalingPolicy::Aggregation::linear;
  other.policy.target_parked_wait = 500ms;
  other.policy.max_scale = 8;  // or waits that never end would ask for ever more
  expect_same(plan_of(waves, other), 250ms, true, 3);
  SubjectView rps = view();
  rps.policy.metric = config::ScalingPolicy::Metric::rps;
  rps.policy.stable_window = 6s;
  rps.policy.target = 20;
  expect_same(plan_of(waves, rps), 250ms, true, 4);
}

TEST(Return, HistoryThatComesBeforeTheDeploymentsIsNotLost) {
  ReturnWorld::Plan plan = plan_of(ramp);
  plan.deployments_after = 800ms;
  expect_same(plan, 100ms, true, 5);
}

TEST(Return, TwoActivatorsAreBothWaitedFor) {
  ReturnWorld::Plan plan = plan_of(burst);
  plan.activators = 2;
  expect_same(plan, 100ms, true);
}

/// Runs both for `before`, kills one, and goes on until that one decides again.
void kill_once(Runs& runs, Duration before) {
  runs.without.run(before);
  runs.with.run(before);
  runs.with.kill();
}

TEST(Return, NothingGoesDownBeforeTheLastSidecarHasReplayed) {
  ReturnWorld::Plan plan = plan_of(decay);
  plan.view.policy.stable_window = 20s;
  plan.sidecar_after = 7s;
  Runs runs(plan);
  kill_once(runs, 49s);
  const auto before = runs.with.counts;
  while (runs.with.returning()) {
    runs.without.step();
    runs.with.step();
    ASSERT_EQ(runs.with.counts, before);
  }
  EXPECT_GT(runs.without.counts.size(), before.size()) << "the other has gone down meanwhile";
  runs.without.run(2s);
  runs.with.run(2s);
  EXPECT_GT(runs.with.counts.size(), before.size()) << "within one turn";
  EXPECT_LE(runs.with.counts.rbegin()->second, runs.without.counts.rbegin()->second + 1);
}

TEST(Return, SidecarsAloneDoNotSuffice) {
  ReturnWorld::Plan plan = plan_of(burst);
  plan.activator_after = 5s;
  Runs runs(plan);
  kill_once(runs, 50s);
  runs.with.run(4900ms);
  EXPECT_TRUE(runs.with.returning()) << "sidecars alone do not know what was parked";
  runs.with.run(600ms);
  EXPECT_FALSE(runs.with.returning());
}

TEST(Return, SidecarsThatCannotReplayAreWaitedForOneWindowAndNoLonger) {
  ReturnWorld::Plan plan = plan_of(decay);
  plan.view.policy.stable_window = 20s;
  plan.sidecars_replay = false;
  Runs runs(plan);
  kill_once(runs, 50s);
  const auto before = runs.with.counts;
  runs.with.run(19500ms);
  EXPECT_TRUE(runs.with.returning());
  EXPECT_EQ(runs.with.counts, before);
  runs.with.run(4s);
  EXPECT_FALSE(runs.with.returning());
  EXPECT_GT(runs.with.counts.size(), before.size());
}

/// Nobody decides for 4 s, as when a machine dies: the turns of that time are missing, and those
/// that follow are what the other has decided then, or one turn before or after.
void expect_same_after_a_gap(const Shape& shape, const SubjectView& of = view()) {
  for (Duration before = 20s; before < 80s; before += 3s) {
    ReturnWorld::Plan plan = plan_of(shape, of);
    plan.vacant = 4s;
    plan.activator_after = 4150ms;
    plan.sidecar_after = 4100ms;
    Runs runs(plan);
    kill_once(runs, before);
    const TimePoint killed = runs.with.now();
    runs.without.run(60s);
    runs.with.run(60s);
    for (auto turn = runs.with.decisions.upper_bound(killed); turn != runs.with.decisions.end();
         ++turn) {
      const auto then = runs.without.decisions.find(turn->first);
      ASSERT_NE(then, runs.without.decisions.end());
      std::set<std::int32_t> near{*then->second.desired};
      if (then != runs.without.decisions.begin()) near.insert(*std::prev(then)->second.desired);
      if (std::next(then) != runs.without.decisions.end()) {
        near.insert(*std::next(then)->second.desired);
      }
      EXPECT_TRUE(near.contains(*turn->second.desired))
          << "killed at " << in_seconds(before) << " s, " << in_seconds(turn->first - killed)
          << " s later: " << told(turn->second) << ", expected " << told(then->second);
    }
  }
}

TEST(Return, AfterAGapToo) {
  for (const Shape& shape : {Shape(ramp), Shape(burst), Shape(decay), Shape(waves)}) {
    expect_same_after_a_gap(shape);
  }
  SubjectView delayed = view();
  delayed.policy.scale_down_delay = 30s;
  expect_same_after_a_gap(decay, delayed);
}

TEST(Return, ASecondKillDuringTheReplayLosesNothing) {
  Runs runs(plan_of(burst));
  kill_once(runs, 50s);
  runs.with.run(50ms);
  EXPECT_TRUE(runs.with.returning());
  runs.with.kill();
  runs.with.run(10s);
  runs.without.run(10s + 50ms);
  EXPECT_TRUE(runs.with.subject().last.panicking) << "it still knows of the panic 19 s ago";
  EXPECT_EQ(runs.with.subject().desired, runs.without.subject().desired);
}

}  // namespace
}  // namespace pilotlight::autoscaler
