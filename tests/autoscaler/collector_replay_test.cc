// What a Collector makes of HISTORY.

#include <gtest/gtest.h>

#include "autoscaler/early_history.h"
#include "common/wire/report.h"

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart{1000s};

/// A process with a meter and a history, whose clock runs `skew` ahead of ours.
class Replayer {
 public:
  explicit Replayer(wire::Role role, std::uint64_t epoch = 1, Duration skew = {})
      : id{role, "x", epoch}, skew_(skew), meter_(kStart + skew) {}

  void arrive(Duration at, Via via = Via::client) { meter_.arrived(kStart + skew_ + at, via); }
  void leave(Duration at, Via via = Via::client) { meter_.departed(kStart + skew_ + at, via); }
  /// Takes note of what it would report, four times a second, in (from, to].
  void measure(Duration from, Duration to) {
    for (Duration at = from + 250ms; at <= to; at += 250ms) history_.record(load(at), 0);
  }
  /// And reports it.
  void live(Collector& to, Duration from, Duration until) {
    for (Duration at = from + 250ms; at <= until; at += 250ms) {
      history_.record(load(at), 0);
      report(to, at);
    }
  }
  void replay(Collector& to, Duration at, bool end = true) const {
    wire::Stats until;
    until.load = load(at);
    for (const wire::Frame& frame : wire::make_history(until, history_)) {
      to.history(id, std::get<wire::History>(frame), kStart + at);
    }
    if (end) to.history_end(id);
  }
  void report(Collector& to, Duration at) const {
    wire::Stats stats;
    stats.load = load(at);
    to.report(id, stats, kStart + at);
    to.advance(kStart + at, true);
  }

  const SourceId id;

 private:
  [[nodiscard]] LoadSnapshot load(Duration at) const {
    return meter_.snapshot(kStart + skew_ + at);
  }

  Duration skew_;
  ConcurrencyMeter meter_;
  LoadHistory history_;
};

/// A collector that begins at `at`, after a restart.
Collector restarted(Duration at) {
  Collector collector(kStart + at);
  collector.await_history();
  return collector;
}

TEST(CollectorReplay, GivesTheWindowsOfAProcessThatWasThere) {
  Replayer activator(wire::Role::activator);
  Collector there(kStart);
  activator.live(there, -250ms, 20s);
  activator.arrive(20s);
  activator.live(there, 20s, 30s);
  for (int i = 0; i < 4; ++i) activator.arrive(30s);
  activator.live(there, 30s, 50s);
  Collector collector = restarted(50s);
  activator.replay(collector, 50s);
  collector.begin();
  collector.advance(kStart + 50s, true);
  EXPECT_NEAR(there.stable(), (30 + 80) / 30.0, 0.1);
  EXPECT_EQ(collector.stable(), there.stable());
  EXPECT_EQ(collector.panic(), there.panic());
}

TEST(CollectorReplay, NothingEntersTheWindowsBeforeTheyBegin) {
  Replayer activator(wire::Role::activator);
  activator.measure(-250ms, 0s);
  activator.arrive(0s);
  activator.measure(0s, 10s);
  Collector collector = restarted(10s);
  activator.replay(collector, 10s);
  collector.advance(kStart + 10s, true);
  EXPECT_EQ(collector.stable(), 0);
  EXPECT_EQ(collector.present(kStart + 10s), 1U) << "gauges are of now";
  collector.begin();
  collector.advance(kStart + 10s, true);
  EXPECT_NEAR(collector.stable(), 1, 1e-9);
}

TEST(CollectorReplay, ToldTwiceItCountsOnce) {
  Replayer activator(wire::Role::activator);
  activator.measure(-250ms, 0s);
  for (int i = 0; i < 3; ++i) activator.arrive(0s);
  activator.measure(0s, 10s);
  Collector collector = restarted(10s);
  activator.replay(collector, 10s, false);
  activator.replay(collector, 10s);  // the connection broke in the middle
  activator.replay(collector, 10s);
  activator.report(collector, 10s);
  activator.report(collector, 11s);
  activator.replay(collector, 11s);
  collector.begin();
  collector.advance(kStart + 11s, true);
  EXPECT_NEAR(collector.stable(), 3, 1e-9);
}

TEST(CollectorReplay, HalfAHistoryIsNone) {
  Replayer activator(wire::Role::activator);
  activator.measure(-250ms, 0s);
  activator.arrive(0s);
  activator.measure(0s, 10s);
  Collector collector = restarted(10s);
  activator.replay(collector, 10s, false);
  collector.lost(activator.id, kStart + 10s);
  collector.history_end(activator.id);
  collector.begin();
  collector.advance(kStart + 10s, true);
  EXPECT_EQ(collector.stable(), 0);
}

TEST(CollectorReplay, ReportsCountFromWhereItEnds) {
  Replayer activator(wire::Role::activator);
  activator.measure(-250ms, 0s);
  activator.arrive(0s);
  activator.measure(0s, 9750ms);
  Collector collector = restarted(9s);
  activator.report(collector, 9250ms);  // left from before the connection: a mark, not growth
  activator.replay(collector, 9750ms);
  for (Duration at = 9750ms; at <= 12s; at += 250ms) activator.report(collector, at);
  collector.begin();
  collector.advance(kStart + 12s, true);
  EXPECT_NEAR(collector.stable(), 1, 1e-9);
  EXPECT_NEAR(collector.panic(), 1, 1e-9);
}

TEST(CollectorReplay, WhatAnActivatorSentIsCountedOnceAndMissedIfItIsAway) {
  Replayer activator(wire::Role::activator);
  Replayer sidecar(wire::Role::sidecar, 2, 17h);  // another machine
  for (Replayer* each : {&activator, &sidecar}) each->measure(-250ms, 0s);
  activator.arrive(0s);
  sidecar.arrive(0s, Via::activator);
  sidecar.arrive(0s, Via::client);
  for (Replayer* each : {&activator, &sidecar}) each->measure(0s, 10s);
  Collector collector = restarted(10s);
  EXPECT_TRUE(collector.senders_known());
  sidecar.replay(collector, 10s);
  EXPECT_FALSE(collector.senders_known()) << "somebody sent what the sidecar saw";
  activator.replay(collector, 10s);
  EXPECT_TRUE(collector.senders_known());
  collector.begin();
  collector.advance(kStart + 10s, true);
  EXPECT_NEAR(collector.stable(), 2, 1e-6);
}

TEST(CollectorReplay, AQuietTimeInsideTheWindowStillCounts) {
  Replayer activator(wire::Role::activator);
  Collector there(kStart);
  activator.live(there, -250ms, 1s);
  activator.arrive(1s);
  activator.live(there, 1s, 3s);
  activator.leave(3s);
  activator.live(there, 3s, 50s);
  activator.arrive(50s);
  activator.live(there, 50s, 80s);
  Collector collector = restarted(80s);
  activator.replay(collector, 80s);
  collector.begin();
  collector.advance(kStart + 80s, true);
  EXPECT_NEAR(there.stable(), 0.5, 0.01) << "the window began with the load 77 s ago";
  EXPECT_EQ(collector.stable(), there.stable());
}

TEST(CollectorReplay, WithoutWaitingSecondsThatCloseLaterAreAdded) {
  Replayer activator(wire::Role::activator);
  activator.measure(-250ms, 0s);
  activator.arrive(0s);
  activator.measure(0s, 10s);
  Collector collector(kStart + 10s);
  activator.replay(collector, 10s);
  collector.advance(kStart + 10s, true);
  EXPECT_NEAR(collector.stable(), 1, 1e-9);
}

TEST(EarlyHistory, KeepsWhatCameBeforeItsDeploymentAndSaysWhenItCannot) {
  EarlyHistory early;
  wire::History history;
  history.until.revision.revision = "iris";
  history.buckets.resize(600);
  const SourceId first{wire::Role::sidecar, "a", 1};
  const SourceId second{wire::Role::sidecar, "b", 2};
  early.keep(first, history, kStart);
  early.end(first);
  early.keep(second, history, kStart);
  early.lost(first);
  early.lost(second);
  const auto told = early.take(history.until.revision);
  ASSERT_EQ(told.size(), 1U) << "half a history is none";
  EXPECT_EQ(told.front().source, first);
  EXPECT_TRUE(told.front().ended && told.front().gone);
  EXPECT_TRUE(early.take(history.until.revision).empty());

  KeptCheckpoint older{{}, kStart};
  KeptCheckpoint newer{{}, kStart + 1s};
  newer.frame.max_panic = 5;
  early.keep(newer);
  early.keep(older);
  EXPECT_EQ(early.take_checkpoint({})->frame.max_panic, 5U);
  EXPECT_FALSE(early.take_checkpoint({}).has_value());

  for (std::size_t i = 0; i < 1000; ++i) early.keep(first, history, kStart);
  EXPECT_TRUE(early.overflowed());
}

}  // namespace
}  // namespace pilotlight::autoscaler
