// What control and the autoscaler tell each other.
#include "tests/activator/control_fixture.h"

namespace pilotlight::activator {
namespace {

using namespace std::chrono_literals;

/// Keeps what a page answers.
struct KeptReply final : control::Reply {
  Task<Result<>> send(unsigned, std::string_view, std::string text) override {
    body = std::move(text);
    co_return Result<>();
  }
  Task<Result<>> begin(unsigned, std::string_view) override { co_return Result<>(); }
  Task<Result<>> write(std::string) override { co_return Result<>(); }
  Task<Result<>> finish() override { co_return Result<>(); }

  std::string body;
};

Task<> read(control::EventLog& events, KeptReply& reply) {
  const control::Request all;
  co_await events.serve(all, reply);
}

TEST_F(ControlTest, AWakeIsPokedServedDrainedAndTold) {
  control_.deployments().applied(deployment("iris"));
  control_.deployments().synced();
  ASSERT_TRUE(until([&] { return peer_ != nullptr && find("iris.default.x") != nullptr; }));
  Interruption interruption;
  Event release(shard_.clock);
  Outcome outcome;
  shard_.scope.spawn(visit(find("iris.default.x"), interruption, outcome, release));
  ASSERT_TRUE(until([&] { return count<wire::Poke>() == 1; }));
  EXPECT_EQ(last<wire::Poke>()->parked, 1u);
  EXPECT_EQ(last<wire::Poke>()->revision.revision, "iris-00001");

  peer_->put_endpoints(endpoints());
  ASSERT_TRUE(until([&] { return outcome.placement.has_value(); }));
  EXPECT_EQ(outcome.placement->replica->name, "r1");
  wire::Drain drain;
  drain.revision = wire::RevisionKey{"default", "iris-00001"};
  drain.replica = "r1";
  drain.epoch = 4;
  peer_->send(drain);
  shard_.run_for(20ms);
  EXPECT_EQ(count<wire::Drained>(), 0u) << "it still runs there";
  release.set();
  ASSERT_TRUE(until([&] { return count<wire::Drained>() == 1; }));
  ASSERT_EQ(count<wire::Woken>(), 1u);
  EXPECT_TRUE(last<wire::Woken>()->answered);
  EXPECT_EQ(last<wire::Woken>()->revision.revision, "iris-00001");
  EXPECT_GE(last<wire::Woken>()->waited_us, 20'000u);
  EXPECT_EQ(last<wire::Drained>()->replica, "r1");
  EXPECT_EQ(last<wire::Drained>()->epoch, 4u);
  drain.revision.revision = "unknown";
  peer_->send(drain);
  ASSERT_TRUE(until([&] { return count<wire::Drained>() == 2; })) << "nothing of ours is there";
}

TEST_F(ControlTest, StatsGoOutEveryPeriodAndPokesAgainAfterAReconnect) {
  control_.deployments().applied(deployment("iris"));
  control_.deployments().synced();
  ASSERT_TRUE(until([&] { return peer_ != nullptr && find("iris.default.x") != nullptr; }));
  Interruption interruption;
  Event release(shard_.clock);
  Outcome outcome;
  shard_.scope.spawn(visit(find("iris.default.x"), interruption, outcome, release));
  ASSERT_TRUE(until([&] { return last<wire::Stats>() && last<wire::Stats>()->queued == 1; }));
  EXPECT_EQ(last<wire::Stats>()->load.in_flight, 1u);
  EXPECT_EQ(last<wire::Stats>()->load.arrivals, 1u);
  EXPECT_EQ(last<wire::Stats>()->epoch, 5u);
  frames_.clear();
  peer_->close(wire::ErrorCause::protocol, "try again");
  ASSERT_TRUE(until([&] { return count<wire::Poke>() >= 1; }));
  interruption.raise(Cause::left);
  ASSERT_TRUE(until([&] { return outcome.ended; }));
}

TEST_F(ControlTest, ANewAutoscalerIsToldWhatTheOneBeforeKnew) {
  control_.deployments().applied(deployment("iris"));
  control_.deployments().synced();
  ASSERT_TRUE(until([&] { return count<wire::HistoryEnd>() == 1; }));
  ASSERT_TRUE(until([&] { return find("iris.default.x") != nullptr; }));
  Interruption interruption;
  Event release(shard_.clock);
  Outcome outcome;
  shard_.scope.spawn(visit(find("iris.default.x"), interruption, outcome, release));
  Interruption impatient;
  Outcome gone;
  shard_.scope.spawn(visit(find("iris.default.x"), impatient, gone, release));
  ASSERT_TRUE(until([&] { return last<wire::Stats>() && last<wire::Stats>()->queued == 2; }));
  wire::Checkpoint checkpoint;
  checkpoint.revision = wire::RevisionKey{"default", "iris-00001"};
  checkpoint.max_panic = 7;
  peer_->put_checkpoint(checkpoint);
  const std::size_t before = count<wire::Stats>();
  ASSERT_TRUE(until([&] { return count<wire::Stats>() >= before + 3; }));
  EXPECT_EQ(count<wire::HistoryEnd>(), 1u) << "this one knows";
  EXPECT_EQ(count<wire::History>(), 0u) << "there was no load before it";

  bool stopped = false;
  shard_.scope.spawn(stop_server(stopped));
  ASSERT_TRUE(until([&] { return stopped; }));
  impatient.raise(Cause::left);
  ASSERT_TRUE(until([&] { return gone.ended; }));
  frames_.clear();
  options_.epoch = 10;
  wire::Server next(shard_.loop.get_executor(), shard_.clock, options_, *this);
  ASSERT_TRUE(next.listen(where_).has_value());
  ASSERT_TRUE(until([&] { return count<wire::HistoryEnd>() == 1; }));
  ASSERT_EQ(count<wire::History>(), 1u);
  EXPECT_EQ(last<wire::History>()->until.load.arrivals, 2u);
  ASSERT_FALSE(last<wire::History>()->buckets.empty());
  EXPECT_GT(last<wire::History>()->buckets.back().concurrency_us, 0u);
  const auto left = static_cast<std::size_t>(RefusalCause::client_left);
  EXPECT_EQ(last<wire::History>()->until.load.refusals[left], 0u) << "nobody was told of it";
  ASSERT_TRUE(until([&] { return count<wire::Stats>() >= 1; }));
  EXPECT_EQ(last<wire::Stats>()->load.refusals[left], 1u);
  ASSERT_EQ(count<wire::Checkpoint>(), 1u);
  EXPECT_EQ(last<wire::Checkpoint>()->max_panic, 7u);
  EXPECT_GT(last<wire::Checkpoint>()->held_us, 0u);

  interruption.raise(Cause::left);
  ASSERT_TRUE(until([&] { return outcome.ended; }));
  client_.close();
  stopped = false;
  shard_.scope.spawn(stop(next, stopped));
  ASSERT_TRUE(until([&] { return stopped; }));
}

TEST_F(ControlTest, WhatWasSaidBeforeTheDeploymentIsRemembered) {
  ASSERT_TRUE(until([&] { return peer_ != nullptr; }));
  peer_->put_endpoints(endpoints());
  shard_.run_for(20ms);
  control_.deployments().applied(deployment("iris"));
  control_.deployments().synced();
  ASSERT_TRUE(until([&] {
    const auto reports = revisions_.report();
    return reports.size() == 1 && reports[0].replicas.size() == 1;
  }));
}

TEST_F(ControlTest, APodsLastWordsReachTheShards) {
  control_.deployments().applied(deployment("iris"));
  control_.deployments().synced();
  Json pod = Json::parse(R"({"metadata": {"name": "p", "namespace": "default",
      "labels": {"serving.knative.dev/revision": "iris-00001"}},
      "status": {"message": "no free address"}})");
  control_.pods().applied(pod);
  ASSERT_TRUE(until([&] { return find("iris.default.x") != nullptr; }));
  const std::uint32_t id = find("iris.default.x")->id;
  ASSERT_TRUE(until([&] { return revisions_.failure(id) == "replica p: no free address"; }));
  pod["status"] = Json::parse(R"({"conditions": [{"type": "Ready", "status": "True"}]})");
  control_.pods().applied(pod);
  ASSERT_TRUE(until([&] { return revisions_.failure(id).empty(); }));
}

TEST_F(ControlTest, AQuotaThatAllowsNoPodIsTheCauseUntilAPodSaysMore) {
  Json refused = deployment("iris");
  refused["status"] = Json::parse(R"({"conditions": [{"type": "ReplicaFailure", "status": "True",
      "reason": "FailedCreate", "message": "exceeded quota"}]})");
  control_.deployments().applied(deployment("iris"));
  control_.deployments().synced();
  control_.deployments().applied(refused);
  ASSERT_TRUE(until([&] { return find("iris.default.x") != nullptr; }));
  const std::uint32_t id = find("iris.default.x")->id;
  ASSERT_TRUE(until([&] { return revisions_.failure(id) == "FailedCreate: exceeded quota"; }));
  control_.pods().applied(Json::parse(R"({"metadata": {"name": "p", "namespace": "default",
      "labels": {"serving.knative.dev/revision": "iris-00001"}},
      "status": {"message": "no free address"}})"));
  ASSERT_TRUE(until([&] { return revisions_.failure(id) == "replica p: no free address"; }));
  control_.deployments().applied(deployment("iris"));
  ASSERT_TRUE(until([&] { return revisions_.failure(id) == "replica p: no free address"; }));
}

TEST_F(ControlTest, WhatTheAutoscalerSaysIsTheCauseWhereTheClusterSaysNothing) {
  ASSERT_TRUE(until([&] { return peer_ != nullptr; }));
  wire::Endpoints left_alone = endpoints();
  left_alone.replicas.clear();
  left_alone.cause = "HorizontalPodAutoscaler hpa scales this Deployment";
  peer_->put_endpoints(left_alone);
  shard_.run_for(20ms);  // before its Deployment is known here
  control_.deployments().applied(deployment("iris"));
  control_.deployments().synced();
  ASSERT_TRUE(until([&] { return find("iris.default.x") != nullptr; }));
  const std::uint32_t id = find("iris.default.x")->id;
  ASSERT_TRUE(until([&] { return revisions_.failure(id) == left_alone.cause; }));

  Json pod = Json::parse(R"({"metadata": {"name": "p", "namespace": "default",
      "labels": {"serving.knative.dev/revision": "iris-00001"}},
      "status": {"conditions": [{"type": "Ready", "status": "False",
                                 "message": "containers with unready status: [app]"}]}})");
  control_.pods().applied(pod);
  shard_.run_for(20ms);
  EXPECT_EQ(revisions_.failure(id), left_alone.cause) << "that may only need time";
  pod["status"]["message"] = "no free address";
  control_.pods().applied(pod);
  ASSERT_TRUE(until([&] { return revisions_.failure(id) == "replica p: no free address"; }));
  pod["status"].erase("message");
  control_.pods().applied(pod);
  ASSERT_TRUE(until([&] { return revisions_.failure(id) == left_alone.cause; }));
  ++left_alone.generation;
  left_alone.cause.clear();
  peer_->put_endpoints(left_alone);
  ASSERT_TRUE(until([&] {
    return revisions_.failure(id) == "replica p: containers with unready status: [app]";
  }));
}

TEST_F(ControlTest, TheLastWordsOfAPodThatIsGoneAreTheCauseUntilSomethingNewerIsSaid) {
  ASSERT_TRUE(until([&] { return peer_ != nullptr; }));
  control_.deployments().applied(deployment("iris"));
  control_.deployments().synced();
  const Json pod = Json::parse(R"({"metadata": {"name": "p", "namespace": "default",
      "labels": {"serving.knative.dev/revision": "iris-00001"}},
      "status": {"message": "no free address"}})");
  control_.pods().applied(pod);
  ASSERT_TRUE(until([&] { return find("iris.default.x") != nullptr; }));
  const std::uint32_t id = find("iris.default.x")->id;
  Json other = pod;
  other["metadata"]["name"] = "q";
  wire::Endpoints told = endpoints();
  told.replicas.clear();
  told.cause = "HorizontalPodAutoscaler hpa scales this Deployment";
  peer_->put_endpoints(told);
  control_.pods().removed(other);
  shard_.run_for(20ms);
  EXPECT_EQ(revisions_.failure(id), "replica p: no free address") << "another Pod is gone";
  control_.pods().removed(pod);
  ASSERT_TRUE(until([&] { return revisions_.failure(id) == told.cause; }));
  ++told.generation;
  told.cause.clear();
  peer_->put_endpoints(told);
  ASSERT_TRUE(until([&] { return revisions_.failure(id) == "replica p: no free address"; }));
}

TEST_F(ControlTest, WhyParkedRequestsWereNotServedIsInTheEventWhoeverKnowsIt) {
  Json refused = deployment("iris");
  refused["status"] = Json::parse(R"({"conditions": [{"type": "ReplicaFailure", "status": "True",
      "reason": "FailedCreate", "message": "exceeded quota"}]})");
  control_.deployments().applied(refused);
  control_.deployments().synced();
  ASSERT_TRUE(until([&] { return find("iris.default.x") != nullptr; }));
  control_.unserved(*find("iris.default.x"), shard_.clock.now(), RefusalCause::deadline);
  KeptReply reply;
  shard_.scope.spawn(read(events_, reply));
  ASSERT_TRUE(until([&] { return !reply.body.empty(); }));
  EXPECT_NE(reply.body.find("deadline: FailedCreate: exceeded quota"), std::string::npos)
      << reply.body;
}

}  // namespace
}  // namespace pilotlight::activator
