#pragma once

#include <gtest/gtest.h>

#include "activator/control.h"
#include "common/wire/server.h"
#include "tests/support/held_port.h"
#include "tests/support/loopback.h"

namespace pilotlight::activator {

using Json = nlohmann::json;

inline Json deployment(const std::string& service, const std::string& concurrency = "2") {
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
    } else if (placement.error() == FlowError::downstream_gone) {
      Ending ending;
      ending.cause = RefusalCause::client_left;
      visit.leave(ending);
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

}  // namespace pilotlight::activator
