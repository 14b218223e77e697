#include "autoscaler/gatekeeper.h"

#include <gtest/gtest.h>

#include "tests/autoscaler/fake_peer.h"
#include "tests/autoscaler/tokens.h"
#include "tests/support/sim_clock.h"

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;
using wire::Refusal;

class GatekeeperTest : public ::testing::Test {
 protected:
  GatekeeperTest() { api.answers[token] = reviewed("default", "models", "r1"); }
  ~GatekeeperTest() override {
    clock.advance(20s);
    EXPECT_EQ(scope.size(), 0U) << "something did not end";
  }

  struct Checked {
    bool done = false;
    std::optional<wire::Objection> objection;
    [[nodiscard]] bool refused(Refusal why) const {
      return done && objection && objection->why == why;
    }
    [[nodiscard]] bool admitted() const { return done && !objection; }
  };

  static Task<> run(Gatekeeper& at, wire::Hello hello, TimePoint deadline,
                    std::shared_ptr<Checked> out) {
    out->objection = co_await at.check(hello, deadline);
    out->done = true;
  }

  std::shared_ptr<Checked> check(const wire::Hello& hello) {
    auto out = std::make_shared<Checked>();
    scope.spawn(run(keeper, hello, clock.now() + 1s, out));
    clock.settle();
    return out;
  }

  [[nodiscard]] wire::Hello sidecar(std::uint64_t epoch) const {
    wire::Hello hello = FakePeer::sidecar("r1", epoch);
    hello.address = "10.1.2.3:8012";
    hello.token = token;
    return hello;
  }

  static PodIdentity pod() {
    PodIdentity out;
    out.name_space = "default";
    out.name = "r1";
    out.uid = "uid-1";
    out.revision = "iris-00001";
    return out;
  }

  asio::io_context loop{1};
  test::SimClock clock{loop};
  Scope scope{loop.get_executor()};
  ScriptedReviews api{clock};
  TokenReviews reviews{scope, clock, api, [] { return WallTime(std::chrono::seconds(0)); }};
  Gatekeeper keeper{clock, reviews, "pilotlight-system"};
  const std::string token = web_token(kForUs);
};

TEST_F(GatekeeperTest, WithoutATokenNobodyIsAsked) {
  wire::Hello hello = sidecar(1);
  hello.token.clear();
  EXPECT_TRUE(check(hello)->refused(Refusal::token));
  EXPECT_TRUE(api.asked.empty());
}

TEST_F(GatekeeperTest, AKnownPodsSidecarIsAdmittedAtOnce) {
  keeper.pod_seen(pod());
  EXPECT_TRUE(check(sidecar(1))->admitted());
}

TEST_F(GatekeeperTest, APodThatIsNotSeenYetIsWaitedFor) {
  const auto checked = check(sidecar(1));
  EXPECT_FALSE(checked->done);
  keeper.pod_seen(pod());
  clock.settle();
  EXPECT_TRUE(checked->admitted());
}

TEST_F(GatekeeperTest, OneThatIsNeverSeenIsToldToComeAgain) {
  const auto checked = check(sidecar(1));
  clock.advance(1s);
  EXPECT_TRUE(checked->refused(Refusal::unknown));
}

TEST_F(GatekeeperTest, AServerThatIsAwayIsNoReasonToBelieve) {
  keeper.pod_seen(pod());
  api.away = true;
  EXPECT_TRUE(check(sidecar(1))->refused(Refusal::unknown));
  EXPECT_EQ(wire::cause_of(Refusal::unknown), wire::ErrorCause::try_again);
}

TEST_F(GatekeeperTest, AnOlderEpochIsRefusedAfterANewerOne) {
  keeper.pod_seen(pod());
  EXPECT_TRUE(check(sidecar(7))->admitted());
  EXPECT_TRUE(check(sidecar(6))->refused(Refusal::epoch));
  EXPECT_TRUE(check(sidecar(7))->admitted()) << "it reconnects";
  EXPECT_TRUE(check(sidecar(8))->admitted()) << "it was restarted";
  EXPECT_TRUE(check(sidecar(7))->refused(Refusal::epoch));
}

TEST_F(GatekeeperTest, ARestartedContainerMayHaveAClockThatWasSetBack) {
  keeper.pod_seen(pod());
  EXPECT_TRUE(check(sidecar(7))->admitted());
  PodIdentity restarted = pod();
  restarted.sidecar_restarts = 1;
  keeper.pod_seen(restarted);
  EXPECT_TRUE(check(sidecar(6))->admitted());
}

TEST_F(GatekeeperTest, ARefusedOneSetsNoEpoch) {
  keeper.pod_seen(pod());
  wire::Hello forged = sidecar(99);
  forged.revision.revision = "other";
  EXPECT_TRUE(check(forged)->refused(Refusal::revision));
  EXPECT_TRUE(check(sidecar(7))->admitted());
}

TEST_F(GatekeeperTest, APodThatIsGoneSpeaksNoMore) {
  keeper.pod_seen(pod());
  EXPECT_TRUE(check(sidecar(7))->admitted());
  keeper.pod_gone("default", "r1");
  const auto checked = check(sidecar(7));
  clock.advance(1s);
  EXPECT_TRUE(checked->refused(Refusal::unknown)) << "though its token is remembered as good";
}

TEST_F(GatekeeperTest, AnAddressIsBelievedOnlyUntilThePodsIsKnown) {
  std::vector<std::string> exposed;
  keeper.on_exposed([&](const PodIdentity& at, const std::string& address) {
    exposed.push_back(at.name + " at " + address);
  });
  keeper.pod_seen(pod());
  EXPECT_TRUE(check(sidecar(7))->admitted());
  PodIdentity known = pod();
  known.addresses = {"10.1.2.3"};
  keeper.pod_seen(known);
  EXPECT_TRUE(exposed.empty());

  keeper.pod_seen(pod());
  wire::Hello forged = sidecar(8);
  forged.address = "10.9.9.9:443";
  EXPECT_TRUE(check(forged)->admitted());
  keeper.pod_seen(known);
  EXPECT_EQ(exposed, std::vector<std::string>{"r1 at 10.9.9.9:443"});
  EXPECT_TRUE(check(forged)->refused(Refusal::pod));
}

TEST_F(GatekeeperTest, AnActivatorNeedsNoPod) {
  api.answers["a"] = reviewed("pilotlight-system", "pilotlight-activator", "a-1");
  wire::Hello hello = FakePeer::activator();
  hello.token = "a";
  EXPECT_TRUE(check(hello)->admitted());
  hello.token = token;
  EXPECT_TRUE(check(hello)->refused(Refusal::role)) << "a sidecar's token";
}

}  // namespace
}  // namespace pilotlight::autoscaler
