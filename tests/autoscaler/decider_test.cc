#include "autoscaler/decider.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/autoscaler/asked.h"

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

struct Row {
  double target;
  double burst;
  std::int32_t ready;
  double stable;
  double panic;
  std::int32_t desired;
  std::int64_t excess;
  double up = 10;
  double down = 10;
  bool reachable = true;
};

Decision ask(const Row& row, DeciderState& state, TimePoint now = kStart) {
  Signal signal;
  signal.target = row.target;
  signal.total = row.target / 0.75;
  signal.stable = row.stable;
  signal.panic = row.panic;
  Policy policy;
  policy.max_up_rate = row.up;
  policy.max_down_rate = row.down;
  policy.target_burst_capacity = row.burst;
  policy.reachable = row.reachable;
  return follow_demand({&signal, 1}, row.ready, policy, state, now);
}

// Knative's own cases.
TEST(Demand, GoldenDecisions) {
  const Row rows[] = {
      {10, 100, 1, 50, 50, 5, -137},
      {10, 0, 1, 50, 49, 5, 0},
      {181, -1, 1, 21, 26, 1, -1},
      {1, 98, 10, 11, 25, 25, -110},
      {1, 1982, 2, 3, 3.1, 3, -1983, 1.1},
      {10, -1, 100, 1, 1, 90, -1, 10, 1.1},
      {10, -1, 100, 1, 1, 1, -1, 10, 1.1, false},
      {10, -1, 1, 1001, 1001, 10, -1},
      {10, -1, 10, 1001, 1001, 100, -1},
      {10, -1, 100, 1, 1, 10, -1},
      {10, -1, 10, 1, 1, 1, -1},
      {10, -1, 0, 888, 888, 10, -1},
  };
  for (const Row& row : rows) {
    DeciderState state;
    const Decision got = ask(row, state);
    EXPECT_EQ(*got.desired, row.desired) << row.target << " " << row.stable << "/" << row.panic;
    EXPECT_EQ(got.excess_burst_capacity, row.excess) << row.target << " " << row.stable;
  }
}

TEST(Demand, PanicBeginsAtTheThreshold) {
  DeciderState state;
  EXPECT_TRUE(ask({1, 98, 10, 11, 25, 25, -110}, state).panicking) << "25 wanted, 10 ready";
  DeciderState calm;
  EXPECT_FALSE(ask({1, 98, 10, 11, 19, 0, 0}, calm).panicking);
}

TEST(Demand, PanicHoldsForAStableWindow) {
  DeciderState state;
  EXPECT_EQ(*ask({10, -1, 10, 10, 1000, 0, 0}, state).desired, 100);
  EXPECT_EQ(*ask({10, -1, 10, 1, 1, 0, 0}, state, kStart + 30s).desired, 100);
  const Decision later = ask({10, -1, 10, 1, 1, 0, 0}, state, kStart + 61s);
  EXPECT_EQ(*later.desired, 1);
  EXPECT_FALSE(later.panicking);
}

TEST(Demand, PanicPicksTheLargerOfBothWindows) {
  for (const auto& [stable, panic, desired] :
       {std::tuple(50.0, 30.0, 50), std::tuple(20.0, 30.0, 30)}) {
    DeciderState state;
    state.panic_since = kStart - 1s;
    state.max_panic = 5;
    EXPECT_EQ(*ask({1, -1, 5, stable, panic, 0, 0}, state).desired, desired);
  }
}

TEST(Demand, ScaleDownDelayKeepsTheLargestOfItsTime) {
  DeciderState state;
  Policy policy;
  policy.scale_down_delay = 5min;
  policy.max_up_rate = policy.max_down_rate = 10;
  policy.panic_threshold = 20;
  Signal signal;
  signal.target = 10;
  const auto at = [&](Duration after, double load) {
    signal.stable = signal.panic = load;
    return *follow_demand({&signal, 1}, 1, policy, state, kStart + after).desired;
  };
  EXPECT_EQ(at(2s, 40), 4);
  EXPECT_EQ(at(5min, 0), 4);
  EXPECT_EQ(at(5min + 2s, 0), 0);
}

TEST(Demand, UnreachableForgetsTheDelay) {
  DeciderState state;
  Policy policy;
  policy.scale_down_delay = 5min;
  Signal signal;
  signal.target = 10;
  signal.stable = signal.panic = 15;
  EXPECT_EQ(*follow_demand({&signal, 1}, 1, policy, state, kStart).desired, 2);
  signal.stable = signal.panic = 0;
  policy.reachable = false;
  state.panic_since.reset();
  EXPECT_EQ(*follow_demand({&signal, 1}, 1, policy, state, kStart + 2s).desired, 0);
}

TEST(Demand, ActivationScaleIsTheLeastOnceAwake) {
  Policy policy;
  policy.activation_scale = 2;
  Signal signal;
  signal.target = 10;
  DeciderState state;
  EXPECT_EQ(*follow_demand({&signal, 1}, 0, policy, state, kStart).desired, 0);
  signal.stable = signal.panic = 1;
  EXPECT_EQ(*follow_demand({&signal, 1}, 0, policy, state, kStart).desired, 2);
}

TEST(Decide, APokeWakesAtOnceAndItsCountIsTheDemand) {
  Asked a;
  a.seen.poke = 5;
  const Decision got = a.at(0s);
  EXPECT_EQ(*got.desired, 5);
  EXPECT_EQ(got.reason, Reason::poke);
  EXPECT_EQ(got.stable, 5);
}

TEST(Decide, APokeNeverLowersAndKeepsToMaxScale) {
  Asked a;
  a.policy.max_scale = 3;
  a.seen.poke = 50;
  EXPECT_EQ(*a.at(0s).desired, 3);
  a.seen.replicas = 3;
  a.seen.poke = 1;
  EXPECT_EQ(*a.at(1s).desired, 3);
}

// The activator must have been in the path for as long, or nobody would hold what
// comes. It is always there when target-burst-capacity is -1.
TEST(Decide, ServesDirectlyWithRoomToSpareOnly) {
  Asked a;
  a.policy.target_burst_capacity = 5;
  a.seen.signals[0].total = 10;
  a.seen.signals[0].stable = a.seen.signals[0].panic = 5;
  a.seen.replicas = a.seen.ready = 1;
  EXPECT_TRUE(a.at(0s).direct);
  EXPECT_EQ(a.at(2s).excess_burst_capacity, 0);
  a.seen.signals[0].panic = 6;
  EXPECT_FALSE(a.at(4s).direct);
}

// The bounds come first: Serve is for what is wanted, whoever wants it.
TEST(Decide, ServesDirectlyWhereABoundAloneKeepsAReplica) {
  const std::pair<const char*, void (*)(Asked&)> rows[] = {
      {"min-scale", [](Asked& a) { a.policy.min_scale = 1; }},
      {"floor", [](Asked& a) { a.seen.floor = 1; }},
      {"enable-scale-to-zero", [](Asked& a) { a.policy.scale_to_zero = false; }},
      {"initial-scale", [](Asked& a) { a.policy.initial_scale = 2; }}};
  for (const auto& [bound, keep] : rows) {
    Asked a;
    a.state.initial_reached = true;
    a.policy.target_burst_capacity = 0;
    a.seen.replicas = a.seen.ready = 1;
    a.at(0s);
    EXPECT_FALSE(a.at(100s).direct) << "nothing is wanted";
    a.state.initial_reached = false;
    keep(a);
    a.seen.replicas = std::max(1, a.policy.initial_scale);
    const Decision idle = a.at(102s);
    EXPECT_TRUE(idle.direct) << bound;
    EXPECT_EQ(idle.desired, a.seen.replicas) << bound;
    a.policy.target_burst_capacity = 1000;
    EXPECT_FALSE(a.at(104s).direct) << bound << ": no room to spare";
  }
}

TEST(Decide, GraceBeginsWhenAFloorEnds) {
  Asked a;
  a.policy.target_burst_capacity = 0;
  a.seen.replicas = a.seen.ready = 1;
  a.at(0s);
  EXPECT_EQ(a.at(62s).reason, Reason::idle) << "in nobody's path for two windows";
  a.seen.floor = 1;
  EXPECT_TRUE(a.at(64s).direct);
  a.seen.floor = 0;
  EXPECT_EQ(a.at(200s).reason, Reason::grace);
  EXPECT_EQ(*a.at(228s).desired, 1);
  EXPECT_EQ(*a.at(230s).desired, 0);
}

TEST(Decide, MoreInitialReplicasThanMayBeAreNotWaitedFor) {
  Asked a;
  a.policy.initial_scale = 5;
  a.policy.max_scale = 3;
  a.seen.replicas = a.seen.ready = 3;
  EXPECT_EQ(*a.at(0s).desired, 3);
  EXPECT_EQ(*a.at(58s).desired, 3);
  a.seen.replicas = a.seen.ready = *a.at(60s).desired;
  EXPECT_EQ(a.seen.ready, 1);
  EXPECT_EQ(*a.at(62s).desired, 0);
}

TEST(Decide, AFloorHoldsAndWakes) {
  Asked a;
  a.seen.floor = 3;
  EXPECT_EQ(*a.at(0s).desired, 3);
  EXPECT_EQ(a.at(2s).reason, Reason::floor);
  a.policy.max_scale = 2;
  EXPECT_EQ(*a.at(4s).desired, 2);
  a.policy.reachable = false;
  EXPECT_EQ(*a.at(6s).desired, 0);
}

TEST(Decide, InitialScaleStaysOneWindowAfterAllOfItWasReady) {
  Asked a;
  a.policy.initial_scale = 3;
  a.seen.replicas = 3;
  a.seen.ready = 2;
  EXPECT_EQ(*a.at(0s).desired, 3);
  a.seen.ready = 3;
  EXPECT_EQ(a.at(10s).reason, Reason::initial);
  EXPECT_EQ(*a.at(69s).desired, 3);
  EXPECT_LT(*a.at(71s).desired, 3);
}

TEST(Decide, BoundsComeLast) {
  Asked a;
  a.policy.min_scale = 2;
  a.policy.max_scale = 4;
  a.seen.replicas = a.seen.ready = 2;
  EXPECT_EQ(*a.at(0s).desired, 2);
  EXPECT_EQ(a.at(100s).reason, Reason::bounds) << "min-scale never sleeps";
  a.seen.signals[0].stable = a.seen.signals[0].panic = 40;
  EXPECT_EQ(*a.at(102s).desired, 4);
}

TEST(Decide, AfterARestartCountsAreHeldAndWakesGoThrough) {
  Asked a;
  a.state.initial_reached = true;
  a.state.hold_until = kStart + 60s;
  a.seen.replicas = 5;
  a.seen.signals[0].stable = a.seen.signals[0].panic = 50;
  EXPECT_FALSE(a.at(2s).desired.has_value());
  a.seen.poke = 40;  // of an activator that came back before the sidecars did
  EXPECT_FALSE(a.at(3s).desired.has_value());
  a.seen.replicas = 0;
  EXPECT_EQ(a.at(4s).reason, Reason::poke);
  a.seen.poke.reset();
  a.seen.replicas = a.seen.ready = 5;
  EXPECT_EQ(*a.at(61s).desired, 50);
}

TEST(Decide, UnknownDemandChangesNothing) {
  Asked a;
  a.seen.signals.clear();
  a.seen.replicas = a.seen.ready = 3;
  const Decision got = a.at(500s);
  EXPECT_FALSE(got.desired.has_value());
  EXPECT_EQ(got.reason, Reason::unknown);
}

}  // namespace
}  // namespace pilotlight::autoscaler
