#include "autoscaler/registry.h"

#include <gtest/gtest.h>

#include "tests/autoscaler/fake_peer.h"

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;
using Names = std::vector<std::string>;

const TimePoint kStart{1000s};

struct Heard final : RegistryListener {
  void replica_ready(const wire::RevisionKey&, const ReplicaRecord& replica) override {
    lines.push_back("ready " + replica.name);
  }
  void replica_not_ready(const wire::RevisionKey&, const ReplicaRecord& replica,
                         std::string_view reason) override {
    lines.push_back("not ready " + replica.name + ": " + std::string(reason));
  }
  std::vector<std::string> lines;
};

class RegistryTest : public ::testing::Test {
 protected:
  void say_ready(FakePeer& sidecar, std::uint32_t capacity = 4, std::uint64_t ready_us = 10) {
    wire::Ready ready;
    ready.epoch = sidecar.hello().epoch;
    ready.capacity = capacity;
    ready.ready_us = ready_us;
    registry.ready(sidecar, ready);
  }
  void say_draining(FakePeer& sidecar) {
    wire::NotReady frame;
    frame.epoch = sidecar.hello().epoch;
    frame.reason = wire::NotReadyReason::draining;
    registry.not_ready(sidecar, frame);
  }
  void say_drained(FakePeer& from, const FakePeer& sidecar) {
    wire::Drained frame;
    frame.revision = sidecar.hello().revision;
    frame.replica = sidecar.hello().replica;
    frame.epoch = sidecar.hello().epoch;
    registry.drained(from, frame);
  }

  const wire::RevisionKey key{"default", "iris-00001"};
  Heard heard;
  Registry registry{42, heard};
  FakePeer activator{FakePeer::activator()};
  FakePeer other{FakePeer::activator(2)};
  FakePeer r1{FakePeer::sidecar("r1")};
  FakePeer r2{FakePeer::sidecar("r2")};
};

TEST_F(RegistryTest, ReadyIsPushedAtOnceToEveryActivator) {
  registry.joined(activator);
  registry.joined(other);
  registry.joined(r1);
  EXPECT_TRUE(activator.endpoints.empty()) << "a HELLO alone changes nothing for activators";
  say_ready(r1);
  EXPECT_EQ(activator.listed(), Names{"r1"});
  EXPECT_EQ(other.listed(), Names{"r1"});
  const wire::Endpoints& set = activator.endpoints.back();
  EXPECT_EQ(set.server_epoch, 42U);
  EXPECT_EQ(set.replicas.front().address, "r1:8012");
  EXPECT_EQ(set.replicas.front().capacity, 4U);
  EXPECT_EQ(registry.ready_count(key), 1);
  EXPECT_EQ(heard.lines, Names{"ready r1"});
}

TEST_F(RegistryTest, GenerationsOnlyGrow) {
  registry.joined(activator);
  registry.joined(r1);
  registry.joined(r2);
  say_ready(r1);
  say_ready(r2);
  ASSERT_EQ(activator.endpoints.size(), 2U);
  EXPECT_LT(activator.endpoints[0].generation, activator.endpoints[1].generation);
}

TEST_F(RegistryTest, AnActivatorThatJoinsIsToldOfEverything) {
  registry.track(key, 60s, kStart);
  registry.joined(r1);
  say_ready(r1);
  registry.joined(activator);
  EXPECT_EQ(activator.listed(), Names{"r1"});
}

TEST_F(RegistryTest, AMessageOfAnotherEpochIsNotBelieved) {
  registry.joined(r1);
  wire::Ready ready;
  ready.epoch = 99;
  registry.ready(r1, ready);
  EXPECT_EQ(registry.ready_count(key), 0);
}

TEST_F(RegistryTest, ARestartedReplicaIsNotReadyUntilItSaysSo) {
  registry.joined(activator);
  registry.joined(r1);
  say_ready(r1);
  FakePeer again(FakePeer::sidecar("r1", 2));
  registry.joined(again);
  EXPECT_EQ(activator.listed(), Names{});
  say_ready(r1);  // the old process's last words, on its old connection
  EXPECT_EQ(registry.ready_count(key), 0);
  say_ready(again);
  registry.left(r1, false, kStart);
  registry.advance(kStart + 5s);
  EXPECT_EQ(activator.listed(), Names{"r1"});
}

TEST_F(RegistryTest, ABrokenConnectionHasASecondToComeBack) {
  registry.joined(activator);
  registry.joined(r1);
  say_ready(r1);
  registry.left(r1, false, kStart);
  registry.advance(kStart + 900ms);
  EXPECT_EQ(registry.ready_count(key), 1);
  FakePeer again(FakePeer::sidecar("r1"));
  registry.joined(again);
  registry.advance(kStart + 5s);
  EXPECT_EQ(registry.ready_count(key), 1);
  registry.left(again, false, kStart + 5s);
  registry.advance(kStart + 6s);
  EXPECT_EQ(registry.ready_count(key), 0);
  EXPECT_EQ(activator.listed(), Names{});
  EXPECT_EQ(heard.lines.back(), "not ready r1: connection lost");
}

TEST_F(RegistryTest, TheFenceWaitsForEveryActivator) {
  registry.joined(activator);
  registry.joined(other);
  registry.joined(r1);
  say_ready(r1);
  say_draining(r1);
  EXPECT_EQ(activator.listed(), Names{"-r1"});
  EXPECT_EQ(registry.ready_count(key), 0);
  EXPECT_EQ(activator.count<wire::Drain>(), 1U);
  say_drained(activator, r1);
  EXPECT_EQ(r1.count<wire::Drained>(), 0U);
  say_drained(other, r1);
  EXPECT_EQ(r1.count<wire::Drained>(), 1U);
}

TEST_F(RegistryTest, AnActivatorThatIsGoneIsNotWaitedFor) {
  registry.joined(activator);
  registry.joined(other);
  registry.joined(r1);
  say_ready(r1);
  say_draining(r1);
  say_drained(activator, r1);
  registry.left(other, false, kStart);
  EXPECT_EQ(r1.count<wire::Drained>(), 1U);
}

TEST_F(RegistryTest, AnActivatorThatComesBackIsAskedAgain) {
  registry.joined(activator);
  registry.joined(other);
  registry.joined(r1);
  say_ready(r1);
  say_draining(r1);
  FakePeer back(FakePeer::activator());
  registry.joined(back);
  registry.left(activator, true, kStart);
  say_drained(other, r1);
  EXPECT_EQ(r1.count<wire::Drained>(), 0U);
  EXPECT_EQ(back.count<wire::Drain>(), 1U);
  say_drained(back, r1);
  EXPECT_EQ(r1.count<wire::Drained>(), 1U);
}

TEST_F(RegistryTest, WithoutActivatorsTheFenceIsOpenAtOnce) {
  registry.joined(r1);
  say_draining(r1);
  EXPECT_EQ(r1.count<wire::Drained>(), 1U);
  say_draining(r1);  // asked again after a reconnect
  EXPECT_EQ(r1.count<wire::Drained>(), 2U);
}

TEST_F(RegistryTest, NobodyPromisesForClientsThatComePastTheActivators) {
  registry.joined(activator);
  registry.joined(r1);
  say_ready(r1);
  registry.set_direct(key, true);
  say_draining(r1);
  say_drained(activator, r1);
  EXPECT_EQ(activator.count<wire::Drain>(), 1U) << "activators let go of it all the same";
  EXPECT_EQ(r1.count<wire::Drained>(), 0U);
  registry.set_direct(key, false);
  say_draining(r1);  // asked again after a reconnect
  EXPECT_EQ(r1.count<wire::Drained>(), 1U);
}

TEST_F(RegistryTest, ADrainThatIsCalledOffIsReadyAgain) {
  registry.joined(activator);
  registry.joined(r1);
  say_ready(r1);
  say_draining(r1);
  say_ready(r1);
  EXPECT_EQ(activator.listed(), Names{"r1"});
  say_drained(activator, r1);
  EXPECT_EQ(r1.count<wire::Drained>(), 0U);
}

TEST_F(RegistryTest, NotReadyIsPushedAtOnce) {
  registry.joined(activator);
  registry.joined(r1);
  say_ready(r1);
  wire::NotReady frame;
  frame.epoch = 1;
  frame.reason = wire::NotReadyReason::app_gone;
  frame.text = "exit code 3";
  registry.not_ready(r1, frame);
  EXPECT_EQ(activator.listed(), Names{});
  EXPECT_EQ(heard.lines.back(), "not ready r1: exit code 3");
}

TEST_F(RegistryTest, ASetIsCompleteOnceEveryKnownAddressHasSpoken) {
  registry.joined(activator);
  registry.track(key, 60s, kStart);
  registry.set_slice_addresses(key, {"r1:8012", "r2:8012"});
  registry.slices_known();
  registry.joined(r1);
  registry.joined(r2);
  say_ready(r1);
  EXPECT_FALSE(activator.endpoints.back().complete);
  say_ready(r2);
  EXPECT_TRUE(activator.endpoints.back().complete);
}

TEST_F(RegistryTest, AReplicaThatServesButCannotReachUsKeepsTheSetIncomplete) {
  registry.joined(activator);
  registry.track(key, 60s, kStart);
  registry.set_slice_addresses(key, {"r1:8012", "r2:8012"});
  registry.slices_known();
  registry.joined(r1);
  say_ready(r1);
  registry.advance(kStart + 61s);
  EXPECT_FALSE(activator.endpoints.back().complete);
  EXPECT_EQ(registry.ready_count(key), 1);
  EXPECT_EQ(registry.unheard_count(key), 1);
  registry.joined(r2);
  EXPECT_FALSE(activator.endpoints.back().complete) << "a HELLO does not say how it is";
  wire::NotReady frame;
  frame.epoch = 1;
  registry.not_ready(r2, frame);
  EXPECT_TRUE(activator.endpoints.back().complete) << "its sidecar knows better than the slice";
  EXPECT_EQ(registry.unheard_count(key), 0);
}

TEST_F(RegistryTest, OneWhoseConnectionIsLostIsUnheardWhileASliceCallsItReady) {
  registry.joined(activator);
  registry.track(key, 60s, kStart);
  registry.joined(r1);
  say_ready(r1);
  registry.slices_known();
  registry.set_slice_addresses(key, {"r1:8012"});
  EXPECT_TRUE(activator.endpoints.back().complete);
  registry.left(r1, false, kStart);
  registry.advance(kStart + 1s);
  EXPECT_EQ(activator.listed(), Names{});
  EXPECT_FALSE(activator.endpoints.back().complete);
  EXPECT_EQ(heard.lines.back(), "not ready r1: connection lost");
  registry.set_slice_addresses(key, {});
  EXPECT_TRUE(activator.endpoints.back().complete);
}

TEST_F(RegistryTest, WithoutSlicesASetIsCompleteAfterAWindow) {
  registry.joined(activator);
  registry.track(key, 60s, kStart);
  registry.advance(kStart + 59s);
  EXPECT_FALSE(activator.endpoints.back().complete);
  registry.advance(kStart + 60s);
  EXPECT_TRUE(activator.endpoints.back().complete);
}

TEST_F(RegistryTest, BeforeTheSlicesAreKnownNothingIsComplete) {
  registry.joined(activator);
  registry.track(key, 60s, kStart);
  EXPECT_FALSE(activator.endpoints.back().complete);
  registry.slices_known();
  EXPECT_TRUE(activator.endpoints.back().complete);
}

TEST_F(RegistryTest, TimesToReadyAreLearned) {
  registry.joined(activator);
  for (std::uint64_t i = 1; i <= 20; ++i) {
    FakePeer sidecar(FakePeer::sidecar("r" + std::to_string(i)));
    registry.joined(sidecar);
    say_ready(sidecar, 4, i * 100);
    registry.left(sidecar, true, kStart);
  }
  EXPECT_EQ(activator.endpoints.back().ready_p50_us, 1000U);
  EXPECT_EQ(activator.endpoints.back().ready_p95_us, 1900U);
}

}  // namespace
}  // namespace pilotlight::autoscaler
