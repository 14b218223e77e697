// What holds for any input. Inputs are drawn from a fixed seed, edges included.

#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "autoscaler/decision_json.h"

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed) {}

  std::int64_t whole(std::int64_t least, std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(least, most)(random_);
  }
  bool chance(int percent) { return whole(1, 100) <= percent; }

  /// Mostly ordinary; sometimes none, huge, or no number at all.
  double load() {
    constexpr double kEdges[] = {0,
                                 1e-9,
                                 1e18,
                                 1.7e308,
                                 std::numeric_limits<double>::infinity(),
                                 std::numeric_limits<double>::quiet_NaN(),
                                 -1};
    if (chance(15)) return kEdges[whole(0, 6)];
    return static_cast<double>(whole(0, 100'000)) / 100;
  }

  Signal signal(const char* name, SignalKind kind) {
    Signal out;
    out.name = name;
    out.kind = kind;
    out.known = !chance(5);
    out.stable = load();
    out.panic = load();
    out.target = chance(5) ? load() : static_cast<double>(whole(1, 1000)) / 10;
    out.total = out.target / 0.7;
    return out;
  }

  Observation observation() {
    Observation seen;
    if (!chance(3)) seen.signals.push_back(signal("concurrency", SignalKind::average));
    if (chance(30) && !seen.signals.empty()) {
      seen.signals.push_back(signal("parked_wait", SignalKind::value));
    }
    seen.ready = static_cast<std::int32_t>(chance(2) ? std::numeric_limits<std::int32_t>::max()
                                                     : whole(0, 30));
    seen.replicas = static_cast<std::int32_t>(whole(0, 30));
    seen.waiting_now = static_cast<std::uint32_t>(whole(0, 3));
    seen.floor = static_cast<std::int32_t>(chance(80) ? 0 : whole(0, 5));
    if (chance(10)) seen.poke = static_cast<std::uint32_t>(whole(1, 1'000'000));
    seen.can_wake = chance(90);
    return seen;
  }

  Policy policy() {
    Policy out;
    out.max_up_rate = chance(10) ? 1e18 : 1 + static_cast<double>(whole(1, 100)) / 10;
    out.max_down_rate = 1 + static_cast<double>(whole(1, 100)) / 10;
    out.panic_threshold = 1 + static_cast<double>(whole(0, 90)) / 10;
    out.stable_window = std::chrono::seconds(whole(6, 120));
    out.scale_down_delay = std::chrono::seconds(chance(50) ? 0 : whole(1, 300));
    out.retention = std::chrono::seconds(chance(50) ? 0 : whole(1, 100));
    out.target_burst_capacity = chance(50) ? -1 : static_cast<double>(whole(0, 300));
    out.activation_scale = static_cast<std::int32_t>(whole(1, 4));
    out.reachable = chance(95);
    out.scale_to_zero = chance(90);
    out.min_scale = static_cast<std::int32_t>(whole(0, 3));
    if (chance(50)) out.max_scale = static_cast<std::int32_t>(whole(out.min_scale + 1, 20));
    out.initial_scale = static_cast<std::int32_t>(whole(0, 3));
    return out;
  }

 private:
  std::mt19937_64 random_;
};

/// A run of decisions of one revision.
template <class Each>
void run(std::uint64_t seed, int ticks, Each each) {
  Draw draw(seed);
  const Policy policy = draw.policy();
  DeciderState state;
  TimePoint now{1000s};
  for (int i = 0; i < ticks; ++i) {
    LoggedDecision logged;
    logged.at = now += std::chrono::milliseconds(draw.whole(1, 4000));
    logged.seen = draw.observation();
    logged.policy = policy;
    logged.before = state;
    logged.decision = decide(logged.seen, policy, state, now);
    each(logged);
  }
}

constexpr std::uint64_t kRuns = 300;
constexpr int kTicks = 200;

TEST(DeciderProperties, DesiredIsWithinBounds) {
  for (std::uint64_t seed = 0; seed < kRuns; ++seed) {
    run(seed, kTicks, [](const LoggedDecision& logged) {
      if (!logged.decision.desired) return;
      const std::int32_t desired = *logged.decision.desired;
      ASSERT_GE(desired, 0);
      if (logged.policy.reachable) {
        ASSERT_GE(desired, logged.policy.min_scale);
      }
      if (logged.policy.max_scale) {
        ASSERT_LE(desired, *logged.policy.max_scale);
      }
    });
  }
}

TEST(DeciderProperties, WithoutDataNothingIsDecided) {
  std::size_t cases = 0;
  for (std::uint64_t seed = 0; seed < kRuns; ++seed) {
    run(seed, kTicks, [&cases](const LoggedDecision& logged) {
      bool known = logged.seen.poke.has_value();
      bool all = true;
      for (const Signal& signal : logged.seen.signals) {
        const bool usable = signal.known && std::isfinite(signal.stable) &&
                            std::isfinite(signal.panic) && std::isfinite(signal.target) &&
                            signal.target > 0 && std::isfinite(signal.total);
        known = known || usable;
        all = all && usable;
      }
      if (!known || logged.seen.signals.empty()) {
        ++cases;
        ASSERT_FALSE(logged.decision.desired.has_value());
      } else if (!all && logged.decision.desired && !logged.policy.max_scale) {
        ++cases;
        ASSERT_GE(*logged.decision.desired, logged.seen.replicas);
      }
    });
  }
  EXPECT_GT(cases, 1000U);
}

TEST(DeciderProperties, MoreLoadNeverMeansFewer) {
  Draw draw(99);
  for (std::uint64_t seed = 0; seed < kRuns; ++seed) {
    run(seed, kTicks, [&draw](const LoggedDecision& logged) {
      Observation more = logged.seen;
      for (Signal& signal : more.signals) {
        const double extra = static_cast<double>(draw.whole(0, 1000)) / 7;
        signal.stable += extra;
        signal.panic += draw.chance(50) ? extra : 0;
      }
      DeciderState state = logged.before;
      const Decision got = decide(more, logged.policy, state, logged.at);
      ASSERT_EQ(got.desired.has_value(), logged.decision.desired.has_value());
      if (got.desired) {
        ASSERT_GE(*got.desired, *logged.decision.desired)
            << to_string(got.reason) << " after " << to_string(logged.decision.reason);
      }
    });
  }
}

/// JSON has no infinities: an average that is one is no number when it is read.
Decision as_written(Decision decision) {
  for (double* average : {&decision.stable, &decision.panic}) {
    if (std::isinf(*average)) *average = std::numeric_limits<double>::quiet_NaN();
  }
  return decision;
}

// What the log keeps is enough to take any of the decisions again, also from the file.
TEST(DeciderProperties, TheLogReplaysToTheBit) {
  const wire::RevisionKey key{"default", "iris-00001"};
  std::size_t replayed = 0;
  for (std::uint64_t seed = 0; seed < kRuns; ++seed) {
    DecisionLog log;
    run(seed, kTicks, [&](const LoggedDecision& decided) {
      if (!log.add(key, decided)) return;
      const LoggedDecision& logged = log.of(key).back();
      DeciderState state = logged.before;
      ASSERT_TRUE(same(decide(logged.seen, logged.policy, state, logged.at), logged.decision));
      ++replayed;
      if (replayed % 20 != 0) return;  // text is slow
      const auto read = read_decision(decision_json(key, "iris", logged, "why"), "line");
      ASSERT_TRUE(read) << read.error().front();
      state = read->before;
      ASSERT_EQ(state, logged.before);
      const Decision again = decide(read->seen, read->policy, state, read->at);
      ASSERT_TRUE(same(again, as_written(logged.decision)));
      ASSERT_TRUE(same(again, read->decision));
    });
  }
  EXPECT_GT(replayed, 10'000U);
}

}  // namespace
}  // namespace pilotlight::autoscaler
