// A request with a place: where it goes, and what comes back.
#include "tests/activator/pipeline_fixture.h"
#include "tests/support/held_port.h"

namespace pilotlight::activator {
namespace {

using namespace std::chrono_literals;
using test::FakeServer;
using test::RawClient;

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
  const test::HeldPort nobody;
  wire::Endpoints frame;
  frame.server_epoch = 1;
  frame.generation = ++generation_;
  frame.complete = true;
  wire::Replica replica;
  replica.name = "gone";
  replica.address = to_string(nobody.endpoint());
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
