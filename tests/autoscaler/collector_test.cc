#include "autoscaler/collector.h"

#include <algorithm>
#include <array>
#include <map>
#include <random>

#include <gtest/gtest.h>

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart{1000s};

SourceId source(wire::Role role, std::uint64_t epoch = 1) {
  SourceId id;
  id.role = role;
  id.replica = "x";
  id.epoch = epoch;
  return id;
}

/// A process with a meter, whose clock runs `skew` ahead of ours.
class Sender {
 public:
  explicit Sender(wire::Role role, std::uint64_t epoch = 1, Duration skew = {})
      : id(source(role, epoch)), skew_(skew), meter_(kStart + skew) {}

  void arrive(Duration at, Via via = Via::client) { meter_.arrived(kStart + skew_ + at, via); }
  void leave(Duration at, Via via = Via::client) { meter_.departed(kStart + skew_ + at, via); }
  void report(Collector& to, Duration at, Duration delay = {}) const {
    wire::Stats stats;
    stats.load = meter_.snapshot(kStart + skew_ + at);
    to.report(id, stats, kStart + at + delay);
    to.advance(kStart + at + delay, true);
  }

  const SourceId id;

 private:
  Duration skew_;
  ConcurrencyMeter meter_;
};

TEST(Collector, AConstantLoadReadsAsItselfWhateverTheRhythmOfReports) {
  for (const Duration period : {100ms, 250ms, 430ms, 1000ms}) {
    Collector collector(kStart);
    Sender activator(wire::Role::activator, 1, 17h);
    activator.report(collector, 0ms);
    for (int i = 0; i < 7; ++i) activator.arrive(0ms);
    int n = 0;
    for (Duration at = period; at <= 20s; at += period) {
      activator.report(collector, at, Duration(++n % 3 == 0 ? 20ms : 1ms));
    }
    EXPECT_NEAR(collector.stable(), 7, 0.15) << period.count();
    EXPECT_NEAR(collector.panic(), 7, 0.15) << period.count();
  }
}

TEST(Collector, TheFirstReportOfASourceIsOnlyAMark) {
  Collector collector(kStart);
  Sender activator(wire::Role::activator);
  activator.arrive(0s);
  activator.report(collector, 500s);  // hours of history of a sender that found us now
  collector.advance(kStart + 502s, true);
  EXPECT_EQ(collector.stable(), 0);
}

TEST(Collector, WaitsAreEachSecondsLongest) {
  Collector collector(kStart);
  const auto at = [&collector](Duration now, std::uint64_t wait_ms) {
    wire::Stats stats;
    stats.load.at_us = static_cast<std::uint64_t>(now / 1us);
    stats.oldest_wait_us = wait_ms * 1000;
    collector.report(source(wire::Role::activator), stats, kStart + now);
    collector.advance(kStart + now, true);
  };
  for (Duration now = 250ms; now <= 10s; now += 250ms) at(now, now % 1s == 500ms ? 800 : 100);
  EXPECT_NEAR(collector.panic_wait(), 0.8, 1e-9);
  EXPECT_NEAR(collector.stable_wait(), 0.8, 0.1) << "the first second was no whole one";
  collector.limit_waits(kStart + 12s);  // a replica has been ready since then only
  for (Duration now = 10'250ms; now <= 18s; now += 250ms) at(now, 30'000);
  EXPECT_NEAR(collector.panic_wait(), 3.5, 1e-9) << "1 s, 2 s, ... 6 s";
}

TEST(Collector, WindowsDoNotBeginWithHalfASecond) {
  Collector collector(kStart);
  Sender activator(wire::Role::activator);
  activator.arrive(0s);
  std::map<TimeWindow::Second, double> told;
  collector.watch([&told](auto second, double demand, bool /*late*/) { told[second] = demand; });
  for (Duration at = 700ms; at <= 5250ms; at += 250ms) activator.report(collector, at);
  EXPECT_NEAR(collector.stable(), 1, 1e-6) << "as after a restart of the autoscaler";
  EXPECT_EQ(told.at(1000), 0) << "a recording has what the windows have";
  EXPECT_NEAR(told.at(1001), 1, 1e-6);
}

TEST(Collector, WhatComesAfterItsSecondIsToldOnceMore) {
  Collector collector(kStart);
  std::map<TimeWindow::Second, double> told;
  bool any_late = false;
  collector.watch([&](auto second, double demand, bool late) {
    told[second] += demand;
    any_late = any_late || late;
  });
  Sender activator(wire::Role::activator);
  activator.report(collector, 0s);
  activator.arrive(0s);
  activator.report(collector, 900ms);
  collector.advance(kStart + 2800ms, true);  // it has been silent for too long to be waited for
  EXPECT_NEAR(told.at(1000), 0.9, 1e-6);
  EXPECT_FALSE(any_late);
  activator.report(collector, 2900ms);
  EXPECT_NEAR(told.at(1000), 1, 1e-6);
  EXPECT_NEAR(told.at(1001), 1, 1e-6);
  EXPECT_TRUE(any_late);
  EXPECT_NEAR(collector.stable(), 1, 1e-6) << "as in the windows";
}

TEST(Collector, WhatAnActivatorSentIsCountedOnce) {
  Collector collector(kStart);
  Sender activator(wire::Role::activator);
  Sender sidecar(wire::Role::sidecar);
  activator.report(collector, 0s);
  sidecar.report(collector, 0s);
  activator.arrive(0s);
  sidecar.arrive(0s, Via::activator);
  sidecar.arrive(0s, Via::client);  // straight to the replica
  for (Duration at = 250ms; at <= 10s; at += 250ms) {
    activator.report(collector, at);
    sidecar.report(collector, at);
  }
  EXPECT_NEAR(collector.stable(), 2, 1e-6);
}

TEST(Collector, ASecondIsWholeBeforeItCounts) {
  Collector collector(kStart);
  Sender activator(wire::Role::activator);
  activator.report(collector, 0s);
  for (int i = 0; i < 10; ++i) activator.arrive(0s);
  activator.report(collector, 900ms);
  EXPECT_EQ(collector.panic(), 0) << "the first second is not over";
  activator.report(collector, 1150ms);
  EXPECT_NEAR(collector.panic(), 10, 1e-6);
  activator.report(collector, 1900ms);
  EXPECT_NEAR(collector.panic(), 10, 1e-6) << "the second one is not over";
}

TEST(Collector, ALateReporterHoldsASecondForThreeQuartersOfOneAtMost) {
  Collector collector(kStart);
  Sender quick(wire::Role::activator, 1);
  Sender slow(wire::Role::activator, 2);
  quick.report(collector, 0s);
  slow.report(collector, 0s);
  quick.arrive(0s);
  slow.arrive(0s);
  quick.report(collector, 1700ms);
  EXPECT_EQ(collector.panic(), 0);
  quick.report(collector, 1800ms);
  EXPECT_NEAR(collector.panic(), 1, 1e-6);
  slow.report(collector, 1900ms);
  EXPECT_NEAR(collector.panic(), 2, 1e-6) << "what comes late is added to its second";
}

TEST(Collector, ASourceAtRestDelaysNoSecond) {
  Collector collector(kStart);
  Sender activator(wire::Role::activator);
  Sender sidecar(wire::Role::sidecar);
  activator.report(collector, 0s);
  sidecar.report(collector, 0s);
  activator.arrive(0s);
  for (Duration at = 250ms; at <= 2500ms; at += 250ms) {
    if (at == 1s) activator.arrive(1s);
    activator.report(collector, at);
    if (at == 250ms || at == 1250ms) sidecar.report(collector, at);  // once a second: nothing new
    if (at == 2250ms) {
      EXPECT_NEAR(collector.panic(), 1, 1e-6) << "it may still speak";
    }
  }
  EXPECT_NEAR(collector.panic(), 1.5, 1e-6) << "300 ms of silence mean that nothing came";
}

TEST(Collector, AfterAWindowOfSilenceNewLoadCountsInFullAtOnce) {
  Collector collector(kStart);
  Sender activator(wire::Role::activator);
  Duration at = 0s;
  for (; at <= 70s; at += 250ms) activator.report(collector, at);
  activator.arrive(71s);
  activator.report(collector, 71s);
  activator.report(collector, 72s);
  activator.report(collector, 72250ms);
  EXPECT_NEAR(collector.stable(), 1, 1e-6) << "not a sixtieth";
}

TEST(Collector, LoadThatEndedFadesSecondBySecond) {
  Collector collector(kStart);
  Sender activator(wire::Role::activator);
  activator.report(collector, 0s);
  activator.arrive(0s);
  Duration at = 250ms;
  for (; at <= 60s; at += 250ms) activator.report(collector, at);
  activator.leave(60s);
  for (; at <= 90250ms; at += 250ms) activator.report(collector, at);
  EXPECT_NEAR(collector.stable(), 0.5, 0.02);
  for (; at <= 121s; at += 250ms) activator.report(collector, at);
  EXPECT_EQ(collector.stable(), 0);
}

TEST(Collector, ALostSourceIsNotPresentAndResumesWithoutLoss) {
  Collector collector(kStart);
  Sender activator(wire::Role::activator);
  activator.report(collector, 0s);
  activator.arrive(0s);
  activator.report(collector, 1s);
  EXPECT_EQ(collector.present(kStart + 1s), 1U);
  collector.lost(activator.id, kStart + 1s);
  EXPECT_EQ(collector.present(kStart + 1s), 0U);
  EXPECT_FALSE(collector.has_sources());
  activator.report(collector, 4250ms);
  EXPECT_NEAR(collector.stable(), 1, 1e-6);
}

TEST(Collector, CountsArrivalsWhenAskedForRequestsPerSecond) {
  Collector collector(kStart);
  WindowShape shape;
  shape.metric = WindowShape::Metric::rps;
  collector.reshape(shape);
  Sender activator(wire::Role::activator);
  activator.report(collector, 0s);
  for (Duration at = 100ms; at <= 10s; at += 100ms) {
    activator.arrive(at);
    activator.leave(at);
    activator.report(collector, at);
  }
  EXPECT_NEAR(collector.stable(), 10, 0.2);
}

TEST(Collector, CountersThatGoBackAreANewMark) {
  Collector collector(kStart);
  Sender first(wire::Role::activator);
  first.arrive(0s);
  first.report(collector, 2s);
  const Sender again(wire::Role::activator);
  again.report(collector, 3s);
  collector.advance(kStart + 5s, true);
  EXPECT_EQ(collector.stable(), 0);
}

TEST(Collector, NobodyConnectedMeansNoSecondIsRecorded) {
  Collector collector(kStart);
  Sender activator(wire::Role::activator);
  activator.report(collector, 0s);
  activator.arrive(0s);
  for (Duration at = 250ms; at <= 10250ms; at += 250ms) activator.report(collector, at);
  collector.lost(activator.id, kStart + 10250ms);
  collector.advance(kStart + 15s, false);
  EXPECT_NEAR(collector.stable(), 1, 0.1) << "unknown is not zero";
}

/// A source that reports, rests, goes away and comes back as it likes.
struct Fickle {
  SourceId id;
  LoadSnapshot load;
  TimePoint covered;
  bool rests = false;
  bool connected = false;
};

TEST(Collector, ASecondClosesTheMomentAllAreBeyondItWhateverTheyDo) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    const auto one_in = [&random](std::uint64_t n) { return random() % n == 0; };
    std::array<Fickle, 4> sources;
    for (std::size_t i = 0; i < sources.size(); ++i) sources[i].id = source({}, i + 1);
    Collector collector(kStart);
    TimeWindow::Second newest = collector.newest();
    for (TimePoint now = kStart; now < kStart + 60s; now += 50ms) {
      for (std::size_t i = 0; i < sources.size(); ++i) {
        Fickle& one = sources[i];
        if (one_in(10 + 10 * i)) {
          const bool busy = one_in(3);
          if (busy) ++one.load.arrivals;
          one.rests = one.connected && !busy;
          one.connected = true;
          one.covered = now;
          one.load.at_us = static_cast<std::uint64_t>(now.time_since_epoch() / 1us);
          wire::Stats stats;
          stats.load = one.load;
          collector.report(one.id, stats, now);
        } else if (one.connected && one_in(200)) {
          one.connected = false;
          one.rests = false;
          one.load = LoadSnapshot();
          collector.lost(one.id, now);
          one.id.epoch += sources.size();
        }
      }
      TimePoint horizon = now;
      for (const Fickle& one : sources) {
        if (!one.connected) continue;
        horizon = std::min(horizon, one.rests ? std::max(one.covered, now - 300ms) : one.covered);
      }
      horizon = std::max(horizon, now - 750ms);
      newest = std::max(newest, floor_second(horizon.time_since_epoch() / 1us) - 1);
      collector.advance(now, true);
      ASSERT_EQ(collector.newest(), newest) << "seed " << seed << " at " << (now - kStart) / 1ms;
    }
  }
}

}  // namespace
}  // namespace pilotlight::autoscaler
