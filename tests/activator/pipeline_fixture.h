#pragma once

#include <deque>

#include <gtest/gtest.h>

#include "activator/pipeline.h"
#include "tests/support/loopback.h"

namespace pilotlight::activator {

inline constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
inline constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: iris.default.localhost\r\n\r\n";

inline std::string bounce(std::string_view why) {
  return "HTTP/1.1 503 Service Unavailable\r\nPilotlight-Not-Started: " + std::string(why) +
         "\r\nContent-Length: 3\r\n\r\nno\n";
}

/// The activator's pipeline on a real socket, in front of sidecars that the test plays. Every test
/// ends with nothing parked, nothing in flight and no demand.
class PipelineTest : public ::testing::Test, protected RevisionListener, protected TrafficListener {
 protected:
  PipelineTest() {
    revisions_.meet({&revisions_});
    iris_ = make("iris", std::chrono::seconds(60));
    publish({iris_});
  }
  void SetUp() override {
    ASSERT_TRUE(front_.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0), false));
    shard_.scope.spawn(front_.run());
  }
  void TearDown() override {
    clients_.clear();
    front_.close();
    pipeline_.stop();
    EXPECT_TRUE(until([this] { return pipeline_.connections() == 0; }));
    for (const RevisionReport& report : revisions_.report()) {
      EXPECT_EQ(report.parked, 0u);
      EXPECT_EQ(report.parked_bytes, 0u);
      EXPECT_EQ(report.in_flight, 0u);
      EXPECT_EQ(report.load.in_flight, 0u);
    }
    EXPECT_EQ(budget_.requests(), 0u);
    EXPECT_EQ(budget_.bytes(), 0u);
    pools_.clear();
  }

  void poke(const RevisionInfo&, std::uint32_t, Duration) override { ++pokes_; }
  void drained(const RevisionInfo&, const ReplicaSet::Drained& replica) override {
    drains_.push_back(replica.name);
  }
  void parked(const RevisionInfo&, TimePoint) override {}
  void served(const RevisionInfo&, const WakeStory& story, TimePoint first_byte) override {
    EXPECT_LE(story.parked_at, story.endpoints_at);
    EXPECT_LE(story.endpoints_at, story.dispatched_at);
    EXPECT_LE(story.dispatched_at, first_byte);
    ++stories_;
  }
  void unserved(const RevisionInfo&, TimePoint, RefusalCause) override { ++losses_; }
  void became_quiet() override {}

  static RevisionPtr make(const std::string& service, Duration timeout, std::uint32_t id = 1) {
    auto info = std::make_shared<RevisionInfo>();
    info->id = id;
    info->name_space = "default";
    info->name = service + "-00001";
    info->service = service;
    info->timeout = timeout;
    return info;
  }
  void publish(const std::vector<RevisionPtr>& all) {
    for (const RevisionPtr& revision : all) revisions_.install(revision);
    revisions_.set_routes(std::make_shared<RouteTable>(all));
  }
  /// What the autoscaler says: these servers are the replicas.
  void endpoints(std::vector<test::FakeServer*> servers, std::uint32_t capacity = 1) {
    wire::Endpoints frame;
    frame.server_epoch = 1;
    frame.generation = ++generation_;
    frame.complete = true;
    for (test::FakeServer* server : servers) {
      wire::Replica replica;
      replica.name = "r" + std::to_string(server->address().port());
      replica.address = to_string(server->address());
      replica.epoch = 1;
      replica.capacity = capacity;
      frame.replicas.push_back(replica);
    }
    revisions_.apply(iris_->id, frame);
  }
  test::RawClient& client(std::string_view request) {
    test::RawClient& made = clients_.emplace_back(shard_, front_.local());
    made.send(request);
    return made;
  }
  [[nodiscard]] bool until(const std::function<bool()>& done) { return shard_.run_until(done); }
  [[nodiscard]] std::size_t parked() const { return revisions_.report().at(0).parked; }
  [[nodiscard]] std::uint64_t count(Outcome outcome) const {
    return cells_.requests[static_cast<std::size_t>(outcome)].read();
  }

  static ParkLimits limits() {
    ParkLimits limits;
    limits.requests = 4;
    limits.bytes = 600'000;
    return limits;
  }

  test::LoopbackShard shard_;
  test::FakeServer first_{shard_};
  test::FakeServer second_{shard_};
  ParkBudget budget_{limits()};
  Revisions revisions_{
      0,
      shard_.loop.get_executor(),
      {shard_.clock, shard_.deadlines, budget_, shard_.loop.get_executor(), *this}};
  Pools pools_{shard_.parts};
  Cells cells_;
  Pipeline pipeline_{{shard_.parts, revisions_, pools_, cells_, *this, "77", limits()}};
  EntrancePtr gateway_ = std::make_shared<Entrance>();
  Listener front_{shard_.loop.get_executor(), shard_.clock, [this](TcpStream stream) {
                    shard_.scope.spawn(pipeline_.serve(std::move(stream), gateway_));
                  }};
  std::deque<test::RawClient> clients_;
  RevisionPtr iris_;
  std::uint64_t generation_ = 0;
  int pokes_ = 0;
  int stories_ = 0;
  int losses_ = 0;
  std::vector<std::string> drains_;
};

}  // namespace pilotlight::activator
