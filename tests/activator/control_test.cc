#include "activator/control.h"

#include <gtest/gtest.h>

#include "activator/status.h"
#include "common/wire/server.h"
#include "tests/support/held_port.h"
#include "tests/support/loopback.h"

namespace pilotlight::activator {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

Json deployment(const std::string& service, const std::string& concurrency = "2") {
  Json labels{{"serving.knative.dev/service", service},
              {"serving.knative.dev/revision", service + "-00001"},
              {"pilotlight.dev/inject", "true"}};
  Json object;
  object["apiVersion"] = "apps/v1";
  object["kind"] = "Deployment";
  object["metadata"] = Json{{"name", service + "-00001-deployment"},
                            {"namespace", "default"},
                            {"uid", "u"},
                            {"resourceVersion", "1"},
                            {"labels", labels}};
  object["spec"]["replicas"] = 0;
  object["spec"]["selector"]["matchLabels"] = labels;
  object["spec"]["template"]["metadata"] =
      Json{{"labels", labels},
           {"annotations",
            {{"pilotlight.dev/container-concurrency", concurrency},
             {"pilotlight.dev/timeout-seconds", "30"}}}};
  object["spec"]["template"]["spec"]["containers"] =
      Json::array({Json{{"name", "user-container"}, {"image", "x"}}});
  return object;
}

/// The control shard with a real autoscaler connection, played by the test, and one data shard on
/// the same loop. Requests are visits without connections.
class ControlTest : public ::testing::Test,
                    protected wire::ServerListener,
                    protected ControlListener {
 protected:
  ControlTest() {
    revisions_.meet({&revisions_});
    control_.use(homes_, client_);
  }
  void SetUp() override {
    ASSERT_NE(where_.port(), 0);
    shard_.scope.spawn(client_.run());
    shard_.scope.spawn(control_.run());
  }
  void TearDown() override {
    client_.close();
    control_.stop();
    bool stopped = false;
    shard_.scope.spawn(stop_server(stopped));
    EXPECT_TRUE(until([&] { return stopped && shard_.scope.size() == others_; }));
  }
  Task<> stop_server(bool& stopped) { return stop(server_, stopped); }
  static Task<> stop(wire::Server& server, bool& stopped) {
    co_await server.stop();
    stopped = true;
  }

  void joined(wire::Peer& peer) override { peer_ = &peer; }
  void received(wire::Peer&, const wire::Frame& frame) override { frames_.push_back(frame); }
  void left(wire::Peer&, std::string_view, bool) override { peer_ = nullptr; }
  void routed() override { ++routed_; }
  void doors_changed(const Doors& doors) override { doors_.push_back(doors); }

  asio::ip::tcp::endpoint listen() {
    const auto where = server_.listen(port_.endpoint());
    return where ? *where : asio::ip::tcp::endpoint();
  }

  template <class Frame>
  [[nodiscard]] const Frame* last() const {
    for (auto frame = frames_.rbegin(); frame != frames_.rend(); ++frame) {
      if (const auto* found = std::get_if<Frame>(&*frame)) return found;
    }
    return nullptr;
  }
  template <class Frame>
  [[nodiscard]] std::size_t count() const {
    std::size_t total = 0;
    for (const wire::Frame& frame : frames_) total += std::holds_alternative<Frame>(frame) ? 1 : 0;
    return total;
  }
  [[nodiscard]] bool until(const std::function<bool()>& done) { return shard_.run_until(done); }

  [[nodiscard]] RevisionPtr find(const std::string& host) {
    RouteQuery query;
    query.host = host;
    const Route* route = revisions_.routes()->lookup(query);
    return route == nullptr ? nullptr : route->pick(0);
  }
  wire::Endpoints endpoints() {
    wire::Endpoints frame;
    frame.revision = wire::RevisionKey{"default", "iris-00001"};
    frame.server_epoch = 9;
    frame.generation = ++generation_;
    frame.complete = true;
    wire::Replica replica;
    replica.name = "r1";
    replica.address = "127.0.0.1:1";
    replica.epoch = 4;
    replica.capacity = 1;
    frame.replicas.push_back(replica);
    return frame;
  }

  static Task<> collect(Homes& homes, std::vector<RevisionReport>& reports, bool& done) {
    reports = co_await homes.collect();
    done = true;
  }

  struct Outcome {
    std::optional<Placement> placement;
    bool ended = false;
  };
  Task<> visit(RevisionPtr revision, Interruption& interruption, Outcome& outcome, Event& release) {
    Visit visit(revisions_, std::move(revision));
    const auto placement = co_await visit.place(10, interruption);
    if (placement) {
      outcome.placement = *placement;
      co_await release.wait(TimePoint::max());
      visit.answered(*placement);
    }
    outcome.ended = true;
  }

  test::LoopbackShard shard_;
  const std::size_t others_ = shard_.scope.size();  // tasks of the shard itself
  std::mt19937_64 random_{7};
  control::EventLog events_{shard_.clock, 5};
  ParkBudget budget_{ParkLimits()};
  Control control_{{shard_.loop.get_executor(), shard_.clock, events_, *this, 5}};
  Revisions revisions_{
      0,
      shard_.loop.get_executor(),
      {shard_.clock, shard_.deadlines, budget_, shard_.loop.get_executor(), control_}};
  Homes homes_{shard_.loop.get_executor(), shard_.clock, {&revisions_}};
  std::vector<Doors> doors_;
  wire::Hello hello_ = [] {
    wire::Hello hello;
    hello.role = wire::Role::activator;
    hello.replica = "activator";
    hello.epoch = 5;
    hello.token = "t";
    hello.capabilities = wire::kReplay;
    return hello;
  }();
  wire::ServerOptions options_ = [] {
    wire::ServerOptions options;
    options.token = "t";
    options.report_period_ms = 50;
    options.epoch = 9;
    return options;
  }();
  wire::Server server_{shard_.loop.get_executor(), shard_.clock, options_, *this};
  test::HeldPort port_;
  asio::ip::tcp::endpoint where_ = listen();  // before the client, which needs it
  wire::Client client_{shard_.loop.get_executor(), shard_.clock, where_, hello_, control_, random_};
  wire::Peer* peer_ = nullptr;
  std::vector<wire::Frame> frames_;
  std::uint64_t generation_ = 0;
  int routed_ = 0;
};

TEST_F(ControlTest, DeploymentsBecomeRoutesAfterTheFirstList) {
  control_.deployments().applied(deployment("iris"));
  control_.deployments().applied(deployment("echo"));
  shard_.settle();
  EXPECT_EQ(find("iris.default.x"), nullptr) << "half a list is no list";
  control_.deployments().synced();
  EXPECT_EQ(routed_, 1);
  ASSERT_TRUE(until([&] { return find("iris.default.x") && find("echo.default.x"); }));
  EXPECT_EQ(find("iris.default.x")->capacity, 2u);
  EXPECT_EQ(find("iris.default.x")->timeout, 30s);

  control_.deployments().applied(deployment("iris", "5"));
  ASSERT_TRUE(until([&] { return find("iris.default.x")->capacity == 5; }));
  Json broken = deployment("iris", "many");
  control_.deployments().applied(broken);
  shard_.settle();
  ASSERT_NE(find("iris.default.x"), nullptr) << "a bad edit takes no service away";
  control_.deployments().removed(deployment("iris"));
  ASSERT_TRUE(until([&] { return find("iris.default.x") == nullptr; }));
  control_.deployments().removed(deployment("echo"));
  ASSERT_TRUE(until([&] { return find("echo.default.x") == nullptr; }));
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
  ASSERT_TRUE(until([&] { return last<wire::Stats>() && last<wire::Stats>()->queued == 1; }));
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
  frames_.clear();
  options_.epoch = 10;
  wire::Server next(shard_.loop.get_executor(), shard_.clock, options_, *this);
  ASSERT_TRUE(next.listen(where_).has_value());
  ASSERT_TRUE(until([&] { return count<wire::HistoryEnd>() == 1; }));
  ASSERT_EQ(count<wire::History>(), 1u);
  EXPECT_EQ(last<wire::History>()->until.load.arrivals, 1u);
  ASSERT_FALSE(last<wire::History>()->buckets.empty());
  EXPECT_GT(last<wire::History>()->buckets.back().concurrency_us, 0u);
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

Json managed_service() {
  Json service;
  service["metadata"] = Json{{"name", "web"},
                             {"namespace", "default"},
                             {"labels", {{"pilotlight.dev/managed", "true"}}},
                             {"annotations", {{"pilotlight.dev/activator-port", "20001"}}}};
  service["spec"]["selector"] = Json{{"serving.knative.dev/service", "iris"}};
  return service;
}

TEST_F(ControlTest, DoorsAreToldOnceDeploymentsAndServicesAreKnown) {
  control_.services().applied(managed_service());
  control_.services().synced();
  control_.deployments().applied(deployment("iris"));
  EXPECT_TRUE(doors_.empty());
  control_.deployments().synced();
  ASSERT_FALSE(doors_.empty());
  EXPECT_EQ(doors_.back(), (Doors{{20001, "default/iris"}}));
  control_.deployments().removed(deployment("iris"));
  EXPECT_TRUE(doors_.back().empty());
  control_.deployments().applied(deployment("iris"));
  EXPECT_EQ(doors_.back(), (Doors{{20001, "default/iris"}}));
  control_.services().removed(managed_service());
  EXPECT_TRUE(doors_.back().empty());
}

TEST_F(ControlTest, ADeploymentThatLosesItsLabelIsServedAsBeforeForAWhile) {
  control_.deployments().applied(deployment("iris"));
  control_.deployments().synced();
  control_.received(endpoints());
  const auto replicas = [this] {
    shard_.settle();
    bool done = false;
    std::vector<RevisionReport> reports;
    shard_.scope.spawn(collect(homes_, reports, done));
    EXPECT_TRUE(until([&done] { return done; }));
    return reports.empty() ? std::size_t{0} : reports.at(0).replicas.size();
  };
  EXPECT_EQ(replicas(), 1u);
  Json plain = deployment("iris");
  plain["metadata"]["labels"].erase("pilotlight.dev/inject");
  control_.deployments().applied(plain);
  wire::Endpoints none = endpoints();
  none.replicas.clear();
  control_.received(none);
  ASSERT_TRUE(find("iris.default.example.com"));
  EXPECT_EQ(replicas(), 1u);
  control_.deployments().applied(deployment("iris"));  // it has it again: what was said counts
  EXPECT_EQ(replicas(), 0u);
  control_.deployments().applied(plain);
  control_.deployments().removed(plain);
  EXPECT_TRUE(until([&] { return !find("iris.default.example.com"); }));
}

TEST_F(ControlTest, TheStatusAndTheMetricsShowEveryRevision) {
  control_.deployments().applied(deployment("iris"));
  control_.deployments().synced();
  ASSERT_TRUE(until([&] { return revisions_.report().size() == 1; }));
  Cells cells;
  cells.finished(pilotlight::activator::Outcome::answered);
  Picture picture;
  picture.epoch = 5;
  picture.revisions = revisions_.report();
  picture.rate = [](const RevisionInfo&) { return 1.5; };
  picture.cells = {&cells};
  const Json status = status_json(picture);
  EXPECT_EQ(status["epoch"], "5");
  EXPECT_EQ(status["revisions"][0]["revision"], "iris-00001");
  EXPECT_EQ(status["revisions"][0]["parked"], 0);
  EXPECT_EQ(status["revisions"][0]["requests_per_second"], 1.5);
  const std::string text = metrics_text(picture);
  EXPECT_NE(text.find("pilotlight_activator_requests_total{outcome=\"answered\"} 1\n"),
            std::string::npos);
  EXPECT_NE(text.find("pilotlight_activator_parked{namespace=\"default\",revision=\"iris-00001\"}"),
            std::string::npos);
}

}  // namespace
}  // namespace pilotlight::activator
