#include <map>
#include <set>

#include <gtest/gtest.h>

#include "autoscaler/kube_feed.h"
#include "autoscaler/scaler.h"
#include "bench/stub_api.h"
#include "tests/common/control/loop_fixture.h"

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;
using bench::StubApi;

/// Keeps what it hears.
struct Hearer final : ScalerListener {
  void attempted(const wire::RevisionKey& revision, const PatchOutcome& outcome) override {
    heard[revision.revision].push_back(outcome);
  }
  [[nodiscard]] std::vector<PatchResult> results(const std::string& name) {
    std::vector<PatchResult> out;
    for (const PatchOutcome& outcome : heard[name]) out.push_back(outcome.result);
    return out;
  }
  std::map<std::string, std::vector<PatchOutcome>> heard;
};

/// The Scaler, its client and an API over real connections on loopback.
class ScalerApiTest : public test::LoopTest {
 protected:
  explicit ScalerApiTest(Duration patch_time = 60s) : patch_time_(patch_time) {}
  void SetUp() override {
    const auto bound = api_.listen(any_port());
    ASSERT_TRUE(bound.has_value());
    kube::Access access;
    access.endpoint = *bound;
    client_.emplace(executor(), clock_, access);
    target_.emplace(*client_, clock_, patch_time_);
    scaler_.emplace(scope_, clock_, *target_, hearer_, random_);
  }
  void TearDown() override {
    scaler_->close();
    run(api_.stop());
    run_until([this] { return scope_.size() == 0; });
  }

  static std::string name(std::size_t number) { return "r-" + std::to_string(number); }

  void add(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      StubApi::Deployment deployment;
      deployment.name = name(i);
      api_.add(deployment);
    }
  }

  void want(std::size_t number, std::int32_t to) {
    wire::RevisionKey key;
    key.name_space = "default";
    key.revision = name(number);
    Change change;
    change.to = to;
    scaler_->want(key, key.revision, change);
  }

  void run_until_idle() {
    run_until(
        [this] { return scaler_->queue().in_flight() == 0 && scaler_->queue().waiting() == 0; });
  }

  /// The first PATCHes go wrong in these ways, one after another.
  void fail(std::vector<StubApi::Fault> faults) {
    api_.set_trouble([faults, next = std::size_t{0}](const StubApi::Patch&) mutable {
      return next < faults.size() ? std::optional(faults[next++]) : std::nullopt;
    });
  }

  static StubApi::Fault fault(StubApi::Fault::Kind kind, unsigned status = 500) {
    StubApi::Fault out;
    out.kind = kind;
    out.status = status;
    return out;
  }

  static Task<> write_all(KubeTarget& target, PatchAnswer& scaled, Result<>& marked, bool& done) {
    scaled = co_await target.set_replicas("default", name(0), 3);
    std::vector<PodCost> costs(1);
    costs[0].pod = "p";
    co_await target.set_costs("default", std::move(costs));
    marked = co_await target.mark_path("default", name(0), true);
    done = true;
  }

  const Duration patch_time_;
  StubApi api_{executor(), clock_};
  Hearer hearer_;
  std::mt19937_64 random_{7};
  std::optional<kube::Client> client_;
  std::optional<KubeTarget> target_;
  std::optional<Scaler> scaler_;
};

/// The same with little patience: a slow machine makes more timeouts of it than there is silence.
class SilentApiTest : public ScalerApiTest {
 protected:
  SilentApiTest() : ScalerApiTest(300ms) {}
};

using Kind = StubApi::Fault::Kind;

TEST_F(ScalerApiTest, EveryKindOfFailureIsNamedAndTriedAgain) {
  add(1);
  fail({fault(Kind::status, 409), fault(Kind::status, 429), fault(Kind::status, 500),
        fault(Kind::status, 403), fault(Kind::reset), fault(Kind::lost_answer)});
  want(0, 3);
  run_until_idle();
  const std::vector<PatchResult> expected = {
      PatchResult::conflict, PatchResult::too_many_requests, PatchResult::server_error,
      PatchResult::refused,  PatchResult::connection,        PatchResult::connection,
      PatchResult::taken};
  EXPECT_EQ(hearer_.results(name(0)), expected);
  EXPECT_EQ(api_.replicas(name(0)), 3);
  const PatchOutcome& conflict = hearer_.heard[name(0)].front();
  EXPECT_EQ(conflict.answer.status, 409U);
  EXPECT_EQ(conflict.attempt, 1U);
  EXPECT_TRUE(conflict.retry_at.has_value());
  EXPECT_EQ(hearer_.heard[name(0)].back().attempt, 7U);
  EXPECT_EQ(scaler_->failures(), 6U);
}

TEST_F(ScalerApiTest, TheWordsOfARefusalAreKept) {
  add(1);
  StubApi::Fault denied = fault(Kind::status, 403);
  denied.message = "admission webhook denied the request";
  StubApi::Fault verbose = fault(Kind::status, 422);
  verbose.message = std::string(9000, 'x');
  fail({denied, verbose});
  want(0, 3);
  run_until_idle();
  const std::vector<PatchOutcome>& heard = hearer_.heard[name(0)];
  ASSERT_EQ(heard.size(), 3U);
  EXPECT_EQ(heard[0].answer.message, "admission webhook denied the request");
  EXPECT_EQ(heard[1].answer.message.size(), 500U);
  EXPECT_EQ(heard[2].answer.message, "") << "it was taken";
}

TEST_F(ScalerApiTest, WhoMayWriteNoLongerSendsNothing) {
  add(1);
  KubeTarget fenced(*client_, clock_, 60s, [this] { return clock_.now(); });
  bool done = false;
  PatchAnswer scaled;
  Result<> marked;
  scope_.spawn(write_all(fenced, scaled, marked, done));
  run_until([&] { return done; });
  EXPECT_EQ(scaled.error, FlowError::deadline_exceeded);
  ASSERT_TRUE(marked.has_error());
  EXPECT_EQ(marked.error(), FlowError::deadline_exceeded);
  EXPECT_EQ(api_.patch_connections(), 0U);
}

TEST_F(SilentApiTest, SilenceIsATimeoutAndTriedAgain) {
  add(1);
  fail({fault(Kind::silence)});
  want(0, 3);
  run_until_idle();
  const std::vector<PatchResult> results = hearer_.results(name(0));
  ASSERT_GE(results.size(), 2U);
  EXPECT_EQ(results.front(), PatchResult::timeout);
  EXPECT_EQ(results.back(), PatchResult::taken);
  EXPECT_EQ(api_.replicas(name(0)), 3);
  EXPECT_EQ(scaler_->failures(), results.size() - 1);
}

TEST_F(ScalerApiTest, RetryAfterIsHeeded) {
  add(1);
  StubApi::Fault busy = fault(Kind::status, 429);
  busy.retry_after_seconds = 1;
  fail({busy});
  want(0, 3);
  run_until_idle();
  ASSERT_EQ(api_.patches().size(), 2U);
  EXPECT_GE(api_.patches()[1].arrived - api_.patches()[0].arrived, 1s);
  EXPECT_EQ(hearer_.heard[name(0)].front().answer.retry_after, Duration(1s));
}

TEST_F(ScalerApiTest, OneConnectionServesOneChangeAfterAnother) {
  add(3);
  for (std::size_t i = 0; i < 3; ++i) {
    want(i, 1);
    run_until_idle();
  }
  EXPECT_EQ(api_.patches().size(), 3U);
  EXPECT_EQ(api_.patch_connections(), 1U);
}

TEST_F(ScalerApiTest, AConnectionThatTheServerClosedWhileIdleIsNotUsed) {
  add(2);
  want(0, 1);
  run_until_idle();
  api_.close_idle();
  want(1, 1);
  run_until_idle();
  EXPECT_EQ(scaler_->failures(), 0U);
  EXPECT_EQ(api_.replicas(name(1)), 1);
}

TEST_F(ScalerApiTest, AThousandWakesAreEachPatchedOnceOverFewConnections) {
  constexpr std::size_t kWakes = 1000;
  add(kWakes);
  api_.set_latency(1ms);
  for (std::size_t i = 0; i < kWakes; ++i) want(i, static_cast<std::int32_t>(i) + 1);
  run_until_idle();
  ASSERT_EQ(api_.patches().size(), kWakes);
  std::set<std::string> names;
  for (const StubApi::Patch& patch : api_.patches()) names.insert(patch.name);
  EXPECT_EQ(names.size(), kWakes) << "each exactly once";
  for (std::size_t i = 0; i < kWakes; ++i) {
    ASSERT_EQ(api_.replicas(name(i)), static_cast<std::int32_t>(i) + 1) << name(i);
  }
  EXPECT_LE(api_.patch_connections(), PatchQueue::kInFlightLimit);
}

TEST_F(SilentApiTest, WithFailuresInBetweenEveryRevisionEndsWithItsNumber) {
  constexpr std::size_t kWakes = 300;
  add(kWakes);
  api_.set_latency(1ms);
  std::mt19937_64 dice(3);
  api_.set_trouble([&dice](const StubApi::Patch&) -> std::optional<StubApi::Fault> {
    switch (dice() % 20) {
      case 0: return fault(Kind::status, 409);
      case 1: return fault(Kind::status, 429);
      case 2: return fault(Kind::status, 503);
      case 3: return fault(Kind::reset);
      case 4: return fault(Kind::lost_answer);
      case 5: return dice() % 20 == 0 ? std::optional(fault(Kind::silence)) : std::nullopt;
      default: return std::nullopt;
    }
  });
  for (std::size_t i = 0; i < kWakes; ++i) want(i, static_cast<std::int32_t>(i % 7) + 1);
  for (std::size_t i = 0; i < kWakes; i += 10) want(i, 9);  // newer than what waits
  run_until_idle();
  for (std::size_t i = 0; i < kWakes; ++i) {
    const std::int32_t expected = i % 10 == 0 ? 9 : static_cast<std::int32_t>(i % 7) + 1;
    ASSERT_EQ(api_.replicas(name(i)), expected) << name(i);
  }
  EXPECT_GT(scaler_->failures(), 30U);
  EXPECT_EQ(hearer_.heard.size(), kWakes) << "every one was heard of";
}

}  // namespace
}  // namespace pilotlight::autoscaler
