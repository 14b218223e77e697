#include "autoscaler/loop.h"

#include <boost/asio/post.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "autoscaler/status.h"
#include "autoscaler/story.h"
#include "tests/autoscaler/loop_world.h"

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

TEST_F(LoopTest, APokeIsPatchedWithoutWaitingForATick) {
  loop.track(view(0));
  loop.joined(activator);
  poke(1);
  ASSERT_EQ(target.calls.size(), 1U);
  EXPECT_EQ(target.calls.front().first, "iris-00001-deployment");
  EXPECT_EQ(target.calls.front().second, 1);
  poke(1);
  EXPECT_EQ(target.calls.size(), 1U) << "it is on its way already";
  EXPECT_EQ(loop.subjects().at(key)->wakes, 1U);
}

TEST_F(LoopTest, APokeForADeploymentThatIsNotKnownYetIsKept) {
  loop.joined(activator);
  poke(3);
  EXPECT_TRUE(target.calls.empty());
  loop.track(view(0));
  clock.settle();
  EXPECT_EQ(asked(), std::vector<std::int32_t>{2});
}

TEST_F(LoopTest, APokeOfLongAgoWakesNothing) {
  loop.joined(activator);
  poke(3);
  clock.advance(11s);
  loop.track(view(0));
  clock.settle();
  EXPECT_TRUE(target.calls.empty()) << "whoever still waits says so again";
}

TEST_F(LoopTest, PokesThatLedToNothingMakeRoomForOthers) {
  loop.joined(activator);
  for (int i = 0; i < 1000; ++i) {
    wire::Poke other;
    other.revision = {"default", "other-" + std::to_string(i)};
    loop.received(activator, other);
  }
  clock.advance(11s);
  poke(3);
  loop.track(view(0));
  clock.settle();
  EXPECT_EQ(asked(), std::vector<std::int32_t>{2});
}

class LoopWithAnArrival : public LoopTest {
 protected:
  LoopWithAnArrival() {
    serving.ready = 5;
    serving.policy.initial_scale = 2;
    loop.joined(activator);
    loop.registry().slices_known();
  }
  SubjectView serving = view(5, 2);
};

TEST_F(LoopWithAnArrival, ItKeepsItsReplicasUntilItsOwnLoadIsKnown) {
  loop.deployments_known();
  start();
  loop.track(serving);
  run_load(0, 100s);
  EXPECT_TRUE(target.calls.empty());
  EXPECT_EQ(explain(loop.log().of(key).back(), *loop.subjects().at(key)),
            "it ran before it became ours, and its load is not known yet");
  ready(sidecars.emplace_back(FakePeer::sidecar("r1")));
  run_load(0, 100s);
  EXPECT_TRUE(target.calls.empty()) << "its readiness probe has not succeeded yet";
  run_load(30, 10s);
  EXPECT_EQ(asked(), std::vector<std::int32_t>{11}) << "more is possible at once";
  serving.replicas = 11;
  serving.generation = 3;
  loop.track(serving);
  loop.registry().set_slice_addresses(key, {"r1:8012"});
  target.calls.clear();
  run_load(2, 55s);
  EXPECT_TRUE(target.calls.empty());
  run_load(2, 70s);
  ASSERT_FALSE(target.calls.empty()) << "a window after";
  EXPECT_EQ(target.calls.back().second, 1);
}

TEST_F(LoopWithAnArrival, WhatServesIsNotTakenAwayHoweverLongItsUpdateTakes) {
  loop.track(serving);  // before the list is complete: another process was here
  loop.deployments_known();
  start();
  wire::HistoryEnd end;
  end.epoch = activator.hello().epoch;
  loop.received(activator, end);
  run_load(0, 800s);
  serving.ready = 0;
  loop.track(serving);
  run_load(0, 1s);
  serving.ready = 5;
  loop.track(serving);
  run_load(0, 200s);
  EXPECT_TRUE(target.calls.empty()) << "a moment without a ready one is no end";
  serving.ready = 0;
  loop.track(serving);
  run_load(0, 100s);
  EXPECT_FALSE(target.calls.empty()) << "nothing serves";
}

TEST_F(LoopWithAnArrival, OneThatWasNeverScaledIsHeldToo) {
  loop.deployments_known();
  start();
  serving.generation = 1;
  loop.track(serving);
  run_load(0, 100s);
  EXPECT_TRUE(target.calls.empty());
}

TEST_F(LoopWithAnArrival, APokeOfBeforeDoesNotEndIt) {
  loop.deployments_known();
  poke(1);
  ready(sidecars.emplace_back(FakePeer::sidecar("r1")));
  loop.track(serving);
  clock.settle();
  EXPECT_TRUE(target.calls.empty());
}

TEST_F(LoopWithAnArrival, WithoutSlicesItIsOursWhenAllThatIsReadyIsHeardOf) {
  loop.deployments_known();
  start();
  loop.track(serving);
  ready(sidecars.emplace_back(FakePeer::sidecar("r1")));
  serving.ready = 1;
  loop.track(serving);
  run_load(0, 100s);
  EXPECT_FALSE(target.calls.empty());
}

TEST_F(LoopTest, APokeThatCrossedReadyIsAnsweredWithTheSet) {
  loop.track(view(1));
  loop.joined(activator);
  ready(sidecars.emplace_back(FakePeer::sidecar("r1")));
  const std::size_t before = activator.endpoints.size();
  poke(1);
  EXPECT_EQ(activator.endpoints.size(), before + 1);
  EXPECT_TRUE(target.calls.empty());
}

TEST_F(LoopTest, LoadIsFollowedWithinFiveSeconds) {
  loop.deployments_known();
  start();
  loop.track(view(1));
  loop.joined(activator);
  ready(sidecars.emplace_back(FakePeer::sidecar("r1")));
  run_load(0, 10s);
  EXPECT_TRUE(target.calls.empty());
  run_load(60, 4s);
  ASSERT_FALSE(target.calls.empty());
  EXPECT_GE(target.calls.back().second, 20);
}

TEST_F(LoopTest, IdleForAWindowItSleeps) {
  loop.deployments_known();
  start();
  loop.track(view(1));
  loop.joined(activator);
  ready(sidecars.emplace_back(FakePeer::sidecar("r1")));
  run_load(1, 30s);
  EXPECT_TRUE(target.calls.empty());
  run_load(0, 58s);
  EXPECT_TRUE(target.calls.empty()) << "the window is not over";
  run_load(0, 6s);
  EXPECT_EQ(asked(), std::vector<std::int32_t>{0});
}

TEST_F(LoopTest, AfterARestartCountsAreHeldForAWindow) {
  start();
  loop.track(view(3, 7));
  loop.deployments_known();
  loop.joined(activator);
  run_load(100, 50s);
  EXPECT_TRUE(target.calls.empty());
  run_load(100, 15s);
  EXPECT_FALSE(target.calls.empty());
}

TEST_F(LoopTest, ANewDeploymentIsHeldOnlyUntilWhoeverIsThereHasReplayed) {
  start();
  loop.track(view(1, 1));
  loop.deployments_known();
  loop.registry().slices_known();
  loop.joined(activator);
  wire::HistoryEnd end;
  end.epoch = activator.hello().epoch;
  loop.received(activator, end);
  run_load(100, 8s);
  EXPECT_FALSE(target.calls.empty());
}

TEST_F(LoopTest, ReplicasThatOnlyTheApiCallsReadyCountButForAPoke) {
  start();
  loop.deployments_known();
  loop.registry().slices_known();
  loop.track(view(2, 7));
  loop.registry().set_slice_addresses(key, {"r1:8012", "r2:8012", "r3:8012"});
  loop.joined(activator);
  run_load(1, 6s);
  ASSERT_FALSE(loop.log().of(key).empty());
  EXPECT_EQ(loop.log().of(key).back().seen.ready, 2) << "not more than there are to be";
  poke(3);
  EXPECT_EQ(loop.log().of(key).back().seen.ready, 0);
  EXPECT_EQ(loop.log().of(key).back().decision.reason, Reason::poke);
}

TEST_F(LoopTest, WithoutAnybodyConnectedNothingChanges) {
  loop.deployments_known();
  start();
  loop.track(view(2));
  clock.advance(300s);
  EXPECT_TRUE(target.calls.empty());
}

TEST_F(LoopTest, FailuresAreTriedAgain) {
  target.failures = 3;
  loop.track(view(0));
  loop.joined(activator);
  poke(1);
  EXPECT_TRUE(target.calls.empty());
  clock.advance(1s);
  EXPECT_EQ(asked(), std::vector<std::int32_t>{1});
  EXPECT_EQ(loop.scaler().failures(), 3U);
}

TEST_F(LoopTest, AChangeThatTheApiDoesNotTakeIsToldOfUntilItIsTaken) {
  target.failures = 2;
  loop.track(view(0));
  loop.joined(activator);
  poke(1);
  const auto revision = [this] {
    return nlohmann::json::parse(status_json(loop)).at("revisions").at(0);
  };
  const nlohmann::json patch = revision().at("patch");
  EXPECT_EQ(patch.at("to"), 1);
  EXPECT_EQ(patch.at("attempts"), 1);
  EXPECT_EQ(patch.at("result"), "conflict");
  EXPECT_EQ(patch.at("status"), 409);
  EXPECT_GT(patch.at("retry_in_ms"), 0);
  clock.advance(1s);
  EXPECT_FALSE(revision().contains("patch"));
  const std::string metrics = metrics_text(loop, wire::ServerCounts());
  for (const char* line :
       {"pilotlight_scale_attempts_total{result=\"conflict\"} 2\n",
        "pilotlight_scale_attempts_total{result=\"taken\"} 1\n",
        "pilotlight_scale_patches_total 1\n", "pilotlight_scale_failures_total 2\n",
        "pilotlight_scale_in_flight 0\n", "pilotlight_scale_waiting 0\n"}) {
    EXPECT_NE(metrics.find(line), std::string::npos) << line;
  }
}

TEST_F(LoopTest, OfSeveralWishesTheNewestWins) {
  target.failures = 1;
  loop.track(view(0));
  loop.joined(activator);
  poke(1);
  poke(20);
  clock.advance(1s);
  EXPECT_EQ(asked(), std::vector<std::int32_t>{8});
}

TEST_F(LoopTest, ADeploymentThatIsGoneIsGivenUp) {
  target.missing = true;
  loop.track(view(0));
  loop.joined(activator);
  poke(1);
  clock.advance(10s);
  EXPECT_TRUE(target.calls.empty());
  EXPECT_EQ(scope.size(), 0U);
}

TEST_F(LoopTest, OldNewsOfTheWatchDoesNotAskTwice) {
  loop.deployments_known();
  start();
  loop.track(view(0));
  loop.joined(activator);
  poke(1);
  loop.track(view(0, 1));  // an event from before the patch
  poke(1);
  EXPECT_EQ(target.calls.size(), 1U);
}

TEST_F(LoopTest, AUserWhoScalesByHandIsBroughtBackWithinTheBounds) {
  loop.deployments_known();
  start();
  SubjectView bounded = view(1);
  bounded.policy.max_scale = 2;
  loop.track(bounded);
  loop.joined(activator);
  clock.advance(3s);
  bounded.replicas = 9;
  loop.track(bounded);
  run_load(100, 4s);
  ASSERT_FALSE(target.calls.empty());
  EXPECT_EQ(target.calls.back().second, 2);
}

TEST_F(LoopTest, RequestsThatWaitTooLongAskForReplicasInProportion) {
  loop.deployments_known();
  start();
  SubjectView waiting = view(1);
  waiting.policy.target_parked_wait = 500ms;
  waiting.policy.panic_threshold_percentage = 1000;
  loop.track(waiting);
  loop.joined(activator);
  ready(sidecars.emplace_back(FakePeer::sidecar("r1")));
  stats.oldest_wait_us = 1'400'000;
  run_load(1, 20s);
  ASSERT_FALSE(target.calls.empty());
  EXPECT_EQ(target.calls.back().second, 3) << "waits of 2.8 times what is wanted";
  const auto& logged = loop.log().of(key).back();
  EXPECT_EQ(logged.leading().name, "parked_wait");
}

TEST_F(LoopTest, WhatComesInDoesNotWaitUntilAllRevisionsAreDecided) {
  constexpr std::size_t kRevisions = 100;
  loop.deployments_known();
  loop.joined(activator);
  for (std::size_t i = 0; i < kRevisions; ++i) {
    SubjectView one = view(0);
    one.key.revision += std::to_string(i);
    one.policy.min_scale = 1;
    loop.track(one);
  }
  std::vector<std::size_t> decided;  // whenever what was posted at the first decision had its turn
  target.on_call = [&] {
    if (target.calls.size() == 1) asio::post(io, [&] { decided.push_back(target.calls.size()); });
  };
  start();
  clock.advance(3s);
  EXPECT_EQ(target.calls.size(), kRevisions);
  ASSERT_EQ(decided.size(), 1U);
  EXPECT_LE(decided.front(), 8U);
}

TEST_F(LoopTest, StatusTellsWhatWasDecidedAndWhy) {
  loop.track(view(0));
  loop.joined(activator);
  poke(5);
  const auto status = nlohmann::json::parse(status_json(loop));
  const auto& revision = status.at("revisions").at(0);
  EXPECT_EQ(revision.at("revision"), "iris-00001");
  EXPECT_EQ(revision.at("desired"), 2);
  EXPECT_EQ(revision.at("wakes"), 1);
  EXPECT_EQ(revision.at("decisions").at(0).at("reason"), "poke");
  EXPECT_EQ(revision.at("decisions").at(0).at("inputs").at("parked"), 5);
  const std::string metrics = metrics_text(loop, wire::ServerCounts());
  EXPECT_NE(metrics.find("pilotlight_revision_desired_replicas{namespace=\"default\","
                         "revision=\"iris-00001\"} 2\n"),
            std::string::npos);
}

}  // namespace
}  // namespace pilotlight::autoscaler
