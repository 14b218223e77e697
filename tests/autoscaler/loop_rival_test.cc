// What a Loop leaves alone, which replicas it would lose, and the path that it chooses.

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "autoscaler/loop.h"
#include "autoscaler/status.h"
#include "tests/autoscaler/loop_world.h"

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

class LoopWithOthers : public LoopTest {
 protected:
  nlohmann::json status() { return nlohmann::json::parse(status_json(loop)).at("revisions").at(0); }
  const Rivals::Name deployment{"default", "iris-00001-deployment"};
};

TEST_F(LoopWithOthers, ADeploymentThatAnotherScalesIsLeftAloneUntilThatGoes) {
  loop.track(view(0));
  loop.joined(activator);
  loop.rival(deployment, "HorizontalPodAutoscaler hpa");
  poke(1);
  start();
  run_load(9, 10s);
  EXPECT_TRUE(target.calls.empty());
  EXPECT_EQ(status().at("left_alone_to"), "HorizontalPodAutoscaler hpa");
  loop.track(view(3));
  EXPECT_EQ(status().at("desired"), 3) << "what the other one wants";
  loop.rival(deployment, "");
  poke(1);
  run_load(40, 20s);
  EXPECT_FALSE(target.calls.empty());
  EXPECT_FALSE(status().contains("left_alone_to"));
}

TEST_F(LoopWithOthers, WhoGoesWhileHistoriesAreAwaitedDoesNotEndTheHold) {
  loop.track(view(3, 2));
  loop.rival(deployment, "HorizontalPodAutoscaler hpa");
  loop.joined(activator);
  start();
  clock.advance(2s);
  loop.rival(deployment, "");
  run_load(0, 20s);
  EXPECT_TRUE(target.calls.empty()) << "the windows are empty still";
  run_load(0, 60s);
  EXPECT_FALSE(target.calls.empty());
}

TEST_F(LoopWithOthers, OneThatWasThereBeforeTheDeploymentIsKnown) {
  loop.rival(deployment, "HorizontalPodAutoscaler hpa");
  loop.track(view(0));
  loop.joined(activator);
  poke(1);
  EXPECT_TRUE(target.calls.empty());
}

TEST_F(LoopWithOthers, WhatWasStillToBeSentIsNotSentAnyMore) {
  target.failures = 1;
  loop.track(view(0));
  loop.joined(activator);
  poke(1);
  EXPECT_EQ(loop.scaler().queue().waiting(), 1U);
  loop.rival(deployment, "KEDA ScaledObject q");
  clock.advance(5s);
  EXPECT_EQ(loop.scaler().queue().waiting(), 0U);
  EXPECT_TRUE(target.calls.empty());
}

TEST_F(LoopWithOthers, BeforeAScaleDownTheIdleReplicasAreMarkedToGoFirst) {
  SubjectView shown = view(3);
  loop.track(shown);
  loop.joined(activator);
  std::uint32_t load = 2;
  for (const char* name : {"r1", "r2", "r3"}) {
    FakePeer& sidecar = sidecars.emplace_back(FakePeer::sidecar(name));
    ready(sidecar);
    wire::Stats report;
    report.revision = key;
    report.epoch = sidecar.hello().epoch;
    report.load.in_flight = load--;
    loop.received(sidecar, report);
  }
  start();
  run_load(8, 70s);  // of 2.8 wanted in each
  target.calls.clear();
  target.costs.clear();
  loop.track(view(3));
  run_load(5, 100s);  // two are enough
  ASSERT_EQ(asked(), std::vector<std::int32_t>{2});
  ASSERT_EQ(target.costs.size(), 1U);
  EXPECT_EQ(target.costs.front(), (std::vector<PodCost>{{"r3", PodCosts::kGoesFirst}}));
}

/// Remembers what was marked.
struct FakePaths final : PathTarget {
  Task<Result<>> mark_path(std::string, std::string service, bool direct) override {
    written.push_back(service + (direct ? " serve" : " proxy"));
    co_return Result<>();
  }
  std::vector<std::string> written;
};

TEST_F(LoopWithOthers, RequestsMayGoPastTheActivatorsOnceAReplicaIsReady) {
  FakePaths paths;
  PathTeller teller(clock, paths, random);
  scope.spawn(teller.run());
  loop.tell_paths(teller);
  SubjectView bypassed = view(0);
  bypassed.policy.target_burst_capacity = 0;
  loop.track(bypassed);
  teller.seen(key, "iris-00001-private", false);
  loop.joined(activator);
  start();
  poke(1);
  run_load(1, 3s);
  EXPECT_TRUE(paths.written.empty()) << "there is nobody to serve";
  ready(sidecars.emplace_back(FakePeer::sidecar("r1")));
  run_load(1, 5s);
  EXPECT_EQ(paths.written, std::vector<std::string>{"iris-00001-private serve"});
  run_load(0, 70s);
  EXPECT_EQ(paths.written.back(), "iris-00001-private proxy");
  teller.close();
  clock.settle();
}

/// What replicas that end are told, by an autoscaler that knows of Services what `teller` has seen.
class LoopWithPaths : public LoopWithOthers {
 protected:
  LoopWithPaths() {
    loop.tell_paths(teller);
    loop.track(view(2));
    loop.joined(activator);
    start();
    for (const char* name : {"r1", "r2"}) ready(sidecars.emplace_back(FakePeer::sidecar(name)));
  }
  /// The replica ends, and the activator has let go of it.
  void drain(FakePeer& sidecar) {
    wire::NotReady draining;
    draining.epoch = sidecar.hello().epoch;
    draining.reason = wire::NotReadyReason::draining;
    loop.received(sidecar, draining);
    wire::Drained drained;
    drained.revision = key;
    drained.replica = sidecar.hello().replica;
    drained.epoch = sidecar.hello().epoch;
    loop.received(activator, drained);
  }
  FakePaths paths;
  PathTeller teller{clock, paths, random};
};

TEST_F(LoopWithPaths, NothingIsPromisedWhileTheServiceLeadsToPods) {
  // As another autoscaler has left it: the API shows it before anything was decided here.
  teller.seen(key, "iris-00001-private", true);
  loop.paths_known();
  loop.deployments_known();
  run_load(1, 3s);
  teller.seen(key, "iris-00001-private", false);
  run_load(1, 50s);
  drain(sidecars[0]);
  EXPECT_EQ(sidecars[0].count<wire::Drained>(), 0U) << "a node may not know of it yet";
  run_load(1, 15s);
  drain(sidecars[1]);
  EXPECT_EQ(sidecars[1].count<wire::Drained>(), 1U);
}

TEST_F(LoopWithPaths, NothingIsPromisedBeforeItIsKnownWhereServicesLead) {
  drain(sidecars[0]);
  loop.deployments_known();
  run_load(1, 1s);
  EXPECT_EQ(sidecars[0].count<wire::Drained>(), 0U);
  teller.seen(key, "iris-00001-private", false);
  loop.paths_known();
  EXPECT_EQ(sidecars[0].count<wire::Drained>(), 1U);
}

TEST_F(LoopWithPaths, WhatIsKnownAtLastMayBeThatTheServiceLeadsToPods) {
  drain(sidecars[0]);
  teller.seen(key, "iris-00001-private", true);
  loop.paths_known();
  EXPECT_EQ(sidecars[0].count<wire::Drained>(), 0U) << "whose revision it is, is not known";
  loop.deployments_known();
  run_load(1, 1s);
  EXPECT_EQ(sidecars[0].count<wire::Drained>(), 0U);
}

}  // namespace
}  // namespace pilotlight::autoscaler
