// Several signals at once: the largest answer counts, and what is missing takes nothing away.

#include <limits>

#include <gtest/gtest.h>

#include "autoscaler/decider.h"

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

Signal signal(std::string name, SignalKind kind, double average, double target) {
  Signal out;
  out.name = std::move(name);
  out.kind = kind;
  out.stable = out.panic = average;
  out.target = target;
  return out;
}

struct Asked {
  Asked() {
    policy.initial_scale = 0;
    policy.panic_threshold = 10;
    seen.replicas = seen.ready = 4;
  }
  Decision ask() { return decide(seen, policy, state, TimePoint(1000s) + (after += 2s)); }
  Observation seen;
  Policy policy;
  DeciderState state;
  Duration after{};
};

TEST(Signals, TheLargestAnswerCountsAndIsNamed) {
  Asked a;
  a.seen.signals = {signal("concurrency", SignalKind::average, 12, 4),
                    signal("parked_wait", SignalKind::value, 2, 1)};
  const Decision got = a.ask();
  EXPECT_EQ(*got.desired, 8) << "twice the wait, so twice the replicas";
  EXPECT_EQ(got.leading, 1U);
  EXPECT_EQ(got.stable, 2);
  a.seen.signals[0].stable = 40;
  EXPECT_EQ(*a.ask().desired, 10);
}

TEST(Signals, TheOneIsNamedWhoseWindowCounts) {
  Asked a;
  a.seen.signals = {signal("concurrency", SignalKind::average, 8, 4),
                    signal("parked_wait", SignalKind::value, 1.25, 1)};
  a.seen.signals[0].panic = 24;
  a.seen.signals[1].panic = 0;
  const Decision calm = a.ask();
  EXPECT_EQ(*calm.desired, 5) << "1.25 times as many";
  EXPECT_EQ(calm.leading, 1U);
  EXPECT_EQ(calm.stable, 1.25);
  a.policy.panic_threshold = 1.5;
  const Decision panic = a.ask();
  EXPECT_EQ(*panic.desired, 6);
  EXPECT_EQ(panic.leading, 0U);
  EXPECT_EQ(panic.panic, 24);
}

TEST(Signals, KindsRelateToReplicasInTheirOwnWay) {
  const std::tuple<SignalKind, double, double, int> rows[] = {
      {SignalKind::average, 30, 10, 3},
      {SignalKind::value, 30, 10, 12},
      {SignalKind::utilization, 0.9, 0.6, 6},
      {SignalKind::utilization, 0.3, 0.6, 2},
  };
  for (const auto& [kind, average, target, desired] : rows) {
    Asked a;
    a.seen.signals = {signal("x", kind, average, target)};
    EXPECT_EQ(*a.ask().desired, desired) << average << "/" << target;
  }
}

TEST(Signals, AMissingOneHoldsButDoesNotKeepOthersFromMore) {
  Asked a;
  a.seen.signals = {signal("concurrency", SignalKind::average, 4, 4),
                    signal("parked_wait", SignalKind::value, 0, 1)};
  EXPECT_EQ(*a.ask().desired, 2) << "no faster than the rate";
  a.seen.signals[1].known = false;
  const Decision held = a.ask();
  EXPECT_EQ(*held.desired, 4);
  EXPECT_EQ(held.reason, Reason::unknown);
  a.seen.signals[0].stable = 24;
  EXPECT_EQ(*a.ask().desired, 6);
  a.seen.signals[0].known = false;
  EXPECT_FALSE(a.ask().desired.has_value()) << "nothing is known: no decision";
}

TEST(Signals, AMissingOneNeverLetsItSleep) {
  Asked a;
  a.seen.replicas = a.seen.ready = 1;
  a.seen.signals = {signal("concurrency", SignalKind::average, 0, 4),
                    signal("parked_wait", SignalKind::value, 0, 1)};
  a.seen.signals[1].known = false;
  for (int i = 0; i < 200; ++i) EXPECT_EQ(*a.ask().desired, 1);
  a.seen.signals[1].known = true;
  EXPECT_EQ(*a.ask().desired, 0);
}

TEST(Signals, WhatIsNoNumberCountsAsMissing) {
  const double bad[] = {std::numeric_limits<double>::quiet_NaN(),
                        std::numeric_limits<double>::infinity(),
                        -std::numeric_limits<double>::infinity()};
  for (const double value : bad) {
    for (double Signal::*field : {&Signal::stable, &Signal::panic, &Signal::target}) {
      Asked a;
      a.seen.signals = {signal("concurrency", SignalKind::average, 4, 4)};
      a.seen.signals[0].*field = value;
      EXPECT_FALSE(a.ask().desired.has_value()) << value;
    }
  }
  Asked a;
  a.seen.signals = {signal("concurrency", SignalKind::average, 4, 0)};
  EXPECT_FALSE(a.ask().desired.has_value()) << "a target of 0";
}

TEST(Signals, APokeWakesWhateverIsMissing) {
  Asked a;
  a.seen.replicas = a.seen.ready = 0;
  a.seen.signals = {signal("concurrency", SignalKind::average, 0, 1)};
  a.seen.signals[0].known = false;
  a.seen.poke = 3;
  EXPECT_EQ(*a.ask().desired, 3);
}

}  // namespace
}  // namespace pilotlight::autoscaler
