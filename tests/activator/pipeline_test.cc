#include "activator/pipeline.h"

#include <deque>

#include <gtest/gtest.h>

#include "tests/support/loopback.h"

namespace pilotlight::activator {
namespace {

using namespace std::chrono_literals;
using test::FakeServer;
using test::RawClient;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: iris.default.localhost\r\n\r\n";

std::string bounce(std::string_view why) {
  return "HTTP/1.1 503 Service Unavailable\r\nPilotlight-Not-Started: " + std::string(why) +
         "\r\nContent-Length: 3\r\n\r\nno\n";
}

/// The activator's pipeline on a real socket, in front of sidecars that the test plays. Every test
/// ends with nothing parked, nothing in flight and no demand.
class PipelineTest : public ::testing::Test, protected RevisionListener, protected TrafficListener {
 protected:
  PipelineTest() {
    revisions_.meet({&revisions_});
    iris_ = make("iris", 5s);
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
  void endpoints(std::vector<FakeServer*> servers, std::uint32_t capacity = 1) {
    wire::Endpoints frame;
    frame.server_epoch = 1;
    frame.generation = ++generation_;
    frame.complete = true;
    for (FakeServer* server : servers) {
      wire::Replica replica;
      replica.name = "r" + std::to_string(server->address().port());
      replica.address = to_string(server->address());
      replica.epoch = 1;
      replica.capacity = capacity;
      frame.replicas.push_back(replica);
    }
    revisions_.apply(iris_->id, frame);
  }
  RawClient& client(std::string_view request) {
    RawClient& made = clients_.emplace_back(shard_, front_.local());
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
  FakeServer first_{shard_};
  FakeServer second_{shard_};
  ParkBudget budget_{limits()};
  Revisions revisions_{
      0,
      shard_.loop.get_executor(),
      {shard_.clock, shard_.deadlines, budget_, shard_.loop.get_executor(), *this}};
  Pools pools_{shard_.parts};
  Cells cells_;
  Pipeline pipeline_{{shard_.parts, revisions_, pools_, cells_, *this, "77", limits()}};
  Listener front_{shard_.loop.get_executor(), shard_.clock, [this](TcpStream stream) {
                    shard_.scope.spawn(pipeline_.serve(std::move(stream), "gateway"));
                  }};
  std::deque<RawClient> clients_;
  RevisionPtr iris_;
  std::uint64_t generation_ = 0;
  int pokes_ = 0;
  int stories_ = 0;
  int losses_ = 0;
  std::vector<std::string> drains_;
};

TEST_F(PipelineTest, ARequestReachesTheSidecarAsAHopAndItsAnswerPasses) {
  first_.automatic = kOk;
  endpoints({&first_});
  RawClient& c = client(
      "POST /x HTTP/1.1\r\nHost: iris.default.localhost\r\nPilotlight-Hop: mine\r\n"
      "Content-Length: 3\r\n\r\nabc");
  ASSERT_TRUE(until([&] { return c.got("ok"); }));
  EXPECT_EQ(c.received(), kOk);
  const std::string& got = first_[0].received;
  const std::string host = "Host: " + to_string(first_.address()) + "\r\n";
  EXPECT_NE(got.find(host), std::string::npos) << got;
  EXPECT_NE(got.find("K-Original-Host: iris.default.localhost\r\n"), std::string::npos);
  EXPECT_NE(got.find("K-Proxy-Request: activator\r\n"), std::string::npos);
  EXPECT_NE(got.find("Pilotlight-Hop: 77\r\n"), std::string::npos);
  EXPECT_EQ(got.find("mine"), std::string::npos);
  EXPECT_NE(got.find("X-Forwarded-For: 127.0.0.1\r\n"), std::string::npos);
  EXPECT_EQ(got.substr(got.size() - 7), "\r\n\r\nabc");
  c.send(kGet);
  ASSERT_TRUE(until([&] { return c.received().size() == 2 * kOk.size(); }));
  EXPECT_EQ(first_.accepted(), 1u) << "one upstream connection serves both";
}

TEST_F(PipelineTest, ASleepingRevisionPokesAndItsRequestsAreServedOnceItIsAwake) {
  RawClient& a = client(kGet);
  RawClient& b = client(kGet);
  ASSERT_TRUE(until([&] { return parked() == 2; }));
  EXPECT_EQ(pokes_, 1);
  first_.automatic = kOk;
  endpoints({&first_}, 10);
  ASSERT_TRUE(until([&] { return a.got("ok") && b.got("ok"); }));
  EXPECT_EQ(stories_, 1);
  EXPECT_EQ(count(Outcome::answered), 2u);
}

TEST_F(PipelineTest, SentOneAfterAnotherTheyReachTheAppInThatOrder) {
  constexpr int kRequests = 4;
  for (int i = 0; i < kRequests; ++i) {
    client("GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: iris.default.localhost\r\n\r\n");
    ASSERT_TRUE(until([&] { return parked() == static_cast<std::size_t>(i + 1); }));
  }
  first_.automatic = kOk;
  endpoints({&first_});
  ASSERT_TRUE(until([&] { return first_.requests() == kRequests; }));
  std::size_t last = 0;
  for (int i = 0; i < kRequests; ++i) {
    const std::size_t at = first_[0].received.find("GET /" + std::to_string(i));
    ASSERT_NE(at, std::string::npos);
    EXPECT_GE(at, last);
    last = at;
  }
  EXPECT_EQ(first_.accepted(), 1u);
}

TEST_F(PipelineTest, ABouncedRequestGoesElsewhere) {
  first_.automatic = bounce("draining");
  second_.automatic = kOk;
  endpoints({&first_, &second_});
  RawClient& c =
      client("POST / HTTP/1.1\r\nHost: iris.default.localhost\r\nContent-Length: 4\r\n\r\nbody");
  ASSERT_TRUE(until([&] { return c.got("ok"); }));
  EXPECT_EQ(cells_.bounces.read(), 1u);
  EXPECT_EQ(second_[0].received.substr(second_[0].received.size() - 4), "body");
  EXPECT_FALSE(c.got("503"));
}

TEST_F(PipelineTest, AFullReplicaIsTriedAgainSoonAndTheClientNeverKnows) {
  first_.automatic = bounce("full");
  endpoints({&first_});
  RawClient& c = client(kGet);
  ASSERT_TRUE(until([&] { return cells_.bounces.read() >= 3; }));
  first_.automatic = kOk;
  ASSERT_TRUE(until([&] { return c.got("ok"); }));
  EXPECT_FALSE(c.got("503"));
}

TEST_F(PipelineTest, ARefusedConnectionIsNotTheClientsProblem) {
  tcp::endpoint nobody;
  {
    FakeServer gone(shard_);
    nobody = gone.address();
  }
  wire::Endpoints frame;
  frame.server_epoch = 1;
  frame.generation = ++generation_;
  frame.complete = true;
  wire::Replica replica;
  replica.name = "gone";
  replica.address = to_string(nobody);
  frame.replicas.push_back(replica);
  revisions_.apply(iris_->id, frame);
  RawClient& c = client(kGet);
  ASSERT_TRUE(until([&] { return cells_.retries.read() >= 2; }));
  EXPECT_GE(pokes_, 1) << "nobody is there: that is a wake";
  second_.automatic = kOk;
  endpoints({&second_});
  ASSERT_TRUE(until([&] { return c.got("ok"); }));
}

TEST_F(PipelineTest, WhatMayHaveStartedIsNotSentAgain) {
  endpoints({&first_, &second_});
  RawClient& c = client(kGet);
  ASSERT_TRUE(until([&] { return first_.requests() + second_.requests() == 1; }));
  FakeServer& has = first_.requests() == 1 ? first_ : second_;
  has.close(0);
  ASSERT_TRUE(until([&] { return c.got("HTTP/1.1 502 "); }));
  EXPECT_TRUE(c.got("failed while it had the request"));
  EXPECT_EQ(first_.requests() + second_.requests(), 1u);
  EXPECT_EQ(count(Outcome::upstream_failed), 1u);
}

TEST_F(PipelineTest, ALongBodyWaitsForTheSidecarsPermitAndStaysRepeatableUntilThen) {
  endpoints({&first_, &second_});
  RawClient& c =
      client("POST / HTTP/1.1\r\nHost: iris.default.localhost\r\nContent-Length: 200000\r\n\r\n" +
             std::string(1000, 'a'));
  ASSERT_TRUE(until([&] { return first_.requests() + second_.requests() == 1; }));
  FakeServer& one = first_.requests() == 1 ? first_ : second_;
  FakeServer& other = first_.requests() == 1 ? second_ : first_;
  EXPECT_NE(one[0].received.find("Expect: 100-continue\r\n"), std::string::npos);
  EXPECT_EQ(one[0].received.find("aaa"), std::string::npos) << "no permit, no body";
  one.send(0, bounce("full"));
  ASSERT_TRUE(until([&] { return other.requests() == 1; }));
  c.send(std::string(199'000, 'b'));
  other.send(0, "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(until([&] { return other[0].received.size() > 200'000; }));
  other.send(0, kOk);
  ASSERT_TRUE(until([&] { return c.got("ok"); }));
  EXPECT_FALSE(c.got("100 Continue")) << "the client did not ask for one";
}

TEST_F(PipelineTest, AParkedClientThatLeavesIsGoneAtOnceAndNeverSent) {
  RawClient& stays = client(kGet);
  RawClient& leaves =
      client("POST / HTTP/1.1\r\nHost: iris.default.localhost\r\nContent-Length: 9\r\n\r\nunread");
  ASSERT_TRUE(until([&] { return parked() == 2; }));
  leaves.close();
  ASSERT_TRUE(until([&] { return parked() == 1; }));
  EXPECT_EQ(revisions_.report().at(0).load.in_flight, 1u) << "its share of the demand went too";
  first_.automatic = kOk;
  endpoints({&first_}, 5);
  ASSERT_TRUE(until([&] { return stays.got("ok"); }));
  EXPECT_EQ(first_.requests(), 1u);
  EXPECT_EQ(count(Outcome::client_left), 1u);
}

TEST_F(PipelineTest, ARunningClientThatLeavesFreesItsPlace) {
  endpoints({&first_});
  RawClient& leaves = client(kGet);
  ASSERT_TRUE(until([&] { return first_.requests() == 1; }));
  RawClient& next = client(kGet);
  ASSERT_TRUE(until([&] { return parked() == 1; }));
  leaves.close();
  ASSERT_TRUE(until([&] { return first_[0].ended; })) << "the sidecar hears of it";
  ASSERT_TRUE(until([&] { return first_.requests() == 2; }));
  first_.send(1, kOk);
  ASSERT_TRUE(until([&] { return next.got("ok"); }));
}

TEST_F(PipelineTest, AtItsDeadlineAParkedRequestHearsWhy) {
  publish({make("iris", 50ms)});
  revisions_.set_failure(1, "replica iris-00001-abcde: exit code 3: no such model");
  RawClient& c = client(kGet);
  ASSERT_TRUE(until([&] { return c.got("no such model"); }));
  EXPECT_TRUE(c.got("HTTP/1.1 504 "));
  EXPECT_TRUE(c.got("Content-Type: application/problem+json\r\n"));
  EXPECT_TRUE(c.got("no replica of default/iris-00001 took the request within 0.05 s"));
  EXPECT_EQ(losses_, 1);
  c.send("GET / HTTP/1.1\r\nHost: nobody\r\n\r\n");
  ASSERT_TRUE(until([&] { return c.got("HTTP/1.1 404 "); })) << "the connection goes on";
}

TEST_F(PipelineTest, ParkingSpendsTheResponseStartClockToo) {
  auto info = std::make_shared<RevisionInfo>(*make("iris", 60s));
  info->response_start_timeout = 50ms;
  publish({info});
  RawClient& c = client(kGet);
  ASSERT_TRUE(until([&] { return c.got("HTTP/1.1 504 "); }));
}

TEST_F(PipelineTest, BeyondTheBoundsARequestHearsWhichOne) {
  for (int i = 0; i < 4; ++i) client(kGet);
  ASSERT_TRUE(until([&] { return parked() == 4; }));
  RawClient& fifth = client(kGet);
  ASSERT_TRUE(until([&] { return fifth.got("4 requests of default/iris-00001 wait"); }));
  EXPECT_TRUE(fifth.got("HTTP/1.1 503 "));
  EXPECT_TRUE(fifth.got("Retry-After: 1\r\n"));
  EXPECT_EQ(count(Outcome::park_requests), 1u);
}

TEST_F(PipelineTest, UnreadBodiesCountAsBytesThatWait) {
  const std::string upload =
      "POST / HTTP/1.1\r\nHost: iris.default.localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 4; ++i) client(upload);
  ASSERT_TRUE(until([&] { return parked() == 4; }));
  clients_[0].close();
  ASSERT_TRUE(until([&] { return parked() == 3; }));
  client(kGet);
  ASSERT_TRUE(until([&] { return parked() == 4; })) << "without a body it is small";
  clients_[1].close();
  ASSERT_TRUE(until([&] { return parked() == 3; }));
  client(upload);
  ASSERT_TRUE(until([&] { return parked() == 4; }));
  clients_[2].close();
  clients_[4].close();
  ASSERT_TRUE(until([&] { return parked() == 2; }));
}

TEST_F(PipelineTest, ProbesAreNeitherLoadNorAWake) {
  RawClient& c =
      client("GET / HTTP/1.1\r\nHost: iris.default.x\r\nK-Network-Probe: activator\r\n\r\n");
  ASSERT_TRUE(until([&] { return c.got("\r\n\r\nactivator"); }));
  c.send(
      "GET / HTTP/1.1\r\nHost: iris.default.x\r\nK-Network-Probe: probe\r\nK-Network-Hash: "
      "h5\r\n\r\n");
  ASSERT_TRUE(until([&] { return c.got("K-Network-Hash: h5\r\n"); }));
  c.send("GET / HTTP/1.1\r\nHost: iris.default.x\r\nK-Network-Probe: <q>\r\n\r\n");
  ASSERT_TRUE(until([&] { return c.got("unexpected probe header value: \"&lt;q&gt;\"\n"); }));
  c.send("GET / HTTP/1.1\r\nHost: iris.default.x\r\nUser-Agent: kube-probe/1.30\r\n\r\n");
  ASSERT_TRUE(until([&] { return c.got("connection has not yet been established\n"); }));
  EXPECT_EQ(pokes_, 0);
  EXPECT_EQ(revisions_.report().at(0).load.arrivals, 0u);
}

TEST_F(PipelineTest, AnUnknownRouteIsToldWhatWouldMatch) {
  RawClient& c = client("GET / HTTP/1.1\r\nHost: irsi.default.localhost\r\n\r\n");
  ASSERT_TRUE(until([&] { return c.got("iris.default.<domain>"); }));
  EXPECT_TRUE(c.got("HTTP/1.1 404 "));
  EXPECT_EQ(pokes_, 0);
}

TEST_F(PipelineTest, ADrainedReplicaIsToldAfterItsLastAnswer) {
  endpoints({&first_});
  RawClient& c = client(kGet);
  ASSERT_TRUE(until([&] { return first_.requests() == 1; }));
  const ReplicaSet::Drained replica{"r" + std::to_string(first_.address().port()), 1};
  revisions_.drain(iris_, replica);
  EXPECT_TRUE(drains_.empty());
  first_.send(0, kOk);
  ASSERT_TRUE(until([&] { return c.got("ok") && !drains_.empty(); }));
  EXPECT_EQ(drains_, (std::vector<std::string>{replica.name}));
}

TEST_F(PipelineTest, ADeletedRevisionEndsWhatWaitsForIt) {
  RawClient& c = client(kGet);
  ASSERT_TRUE(until([&] { return parked() == 1; }));
  revisions_.set_routes(std::make_shared<RouteTable>());
  revisions_.retire(iris_->id);
  ASSERT_TRUE(until([&] { return c.got("was deleted while the request waited"); }));
  ASSERT_TRUE(until([&] { return revisions_.report().empty(); }));
}

TEST_F(PipelineTest, WhenTheProcessStopsWhatWaitsHearsIt) {
  RawClient& c = client(kGet);
  ASSERT_TRUE(until([&] { return parked() == 1; }));
  pipeline_.close_connections();
  shard_.run_for(5ms);
  EXPECT_EQ(parked(), 1u) << "a drain lets it wait on";
  pipeline_.stop();
  ASSERT_TRUE(until([&] { return c.got("shutting down\n"); }));
}

TEST_F(PipelineTest, AnUpgradeBecomesATunnelThatHoldsItsPlace) {
  endpoints({&first_});
  RawClient& c = client(
      "GET /ws HTTP/1.1\r\nHost: iris.default.localhost\r\nConnection: Upgrade\r\n"
      "Upgrade: websocket\r\n\r\n");
  ASSERT_TRUE(until([&] { return first_.requests() == 1; }));
  first_.send(0,
              "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
              "websocket\r\n\r\nhello");
  ASSERT_TRUE(until([&] { return c.got("hello"); }));
  c.send("ping");
  ASSERT_TRUE(until([&] { return first_[0].received.find("ping") != std::string::npos; }));
  EXPECT_EQ(revisions_.report().at(0).in_flight, 1u);
  first_.close(0);
  ASSERT_TRUE(until([&] { return revisions_.report().at(0).in_flight == 0; }));
}

TEST_F(PipelineTest, AnOldClientIsServedAlike) {
  first_.automatic = kOk;
  endpoints({&first_});
  RawClient& c = client("GET / HTTP/1.0\r\nHost: iris.default.localhost\r\n\r\n");
  ASSERT_TRUE(until([&] { return c.got("ok") && c.ended(); }));
  EXPECT_NE(first_[0].received.find(" HTTP/1.1\r\n"), std::string::npos);
}

}  // namespace
}  // namespace pilotlight::activator
