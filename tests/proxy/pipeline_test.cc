#include <numeric>
#include <optional>

#include "tests/proxy/pipeline_fixture.h"
#include "tests/support/held_port.h"

namespace pilotlight::proxy {
namespace {

using test::RawClient;

TEST_F(PipelineTest, ARequestAndItsAnswerPassAndConnectionsAreReused) {
  app_.automatic = kOk;
  RawClient& c = client();
  c.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  ASSERT_TRUE(until([&] { return c.got("ok"); }));
  EXPECT_EQ(c.received(), kOk);
  EXPECT_EQ(
      app_[0].received,
      "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-Forwarded-For: 127.0.0.1\r\n\r\nabc");
  c.send(kGet);
  ASSERT_TRUE(until([&] { return c.received().size() == 2 * kOk.size(); }));
  EXPECT_EQ(app_.accepted(), 1u) << "one upstream connection serves both";
  ASSERT_TRUE(until([&] { return ended(Outcome::answered) == 2; }));
  EXPECT_EQ(observer_.cells().upstream_opened.read(), 1u);
  EXPECT_EQ(observer_.cells().upstream_reused.read(), 1u);
  const auto times = observer_.cells().invocations.samples(1e6);
  ASSERT_EQ(times.size(), 1u) << "both were answered with the same status";
  EXPECT_EQ(times[0].labels, (Labels{{"http_response_status_code", "200"}}));
  EXPECT_EQ(observer_.cells().request_body.sample(1, Labels()).sum, 3) << "abc, and nothing";
  EXPECT_EQ(observer_.cells().response_body.sample(1, Labels()).sum, 4);
}

TEST_F(PipelineTest, PipelinedRequestsAreAnsweredInOrder) {
  app_.automatic = kOk;
  RawClient& c = client();
  c.send(std::string(kGet) + std::string(kGet) + std::string(kGet));
  ASSERT_TRUE(until([&] { return c.received().size() == 3 * kOk.size(); }));
  EXPECT_EQ(app_.requests(), 3u);
}

TEST_F(PipelineTest, NeverMoreThanTheLimitRunsAndTheNextWaitsItsTurn) {
  RawClient& first = client();
  RawClient& second = client();
  RawClient& third = client();
  first.send(kGet);
  second.send(kGet);
  ASSERT_TRUE(until([&] { return app_.requests() == 2; }));
  third.send(kGet);
  ASSERT_TRUE(until([&] { return admission_.waiting() == 1; }));
  EXPECT_EQ(app_.requests(), 2u);
  EXPECT_EQ(meter_.in_flight(), 3u) << "who waits is demand too";
  app_.send(0, kOk);
  ASSERT_TRUE(until([&] { return app_.requests() == 3; }));
  EXPECT_EQ(admission_.in_flight(), kLimit);
  const HistogramSample waits = observer_.cells().queue_wait.sample(1e6, Labels());
  EXPECT_EQ(std::accumulate(waits.counts.begin(), waits.counts.end(), 0ULL), 1U)
      << "only who had to wait";
}

TEST_F(PipelineTest, BeyondTheQueueADirectClientIsRefusedAtOnce) {
  for (int i = 0; i < 5; ++i) client().send(kGet);
  ASSERT_TRUE(until([&] { return clients_[4].got("pending request queue full\n"); }));
  EXPECT_TRUE(clients_[4].got("HTTP/1.1 503 "));
  ASSERT_TRUE(until([&] { return app_.requests() == kLimit; }));
  EXPECT_EQ(ended(Outcome::queue_full), 1u);
}

TEST_F(PipelineTest, InADrainADirectClientIsServedAndSentOnItsWay) {
  app_.automatic = kOk;
  RawClient& kept = client();
  kept.send(kGet);
  ASSERT_TRUE(until([&] { return kept.got("ok"); }));
  EXPECT_FALSE(kept.got("Connection: close"));
  fence_.begin(shard_.clock.now());
  kept.send(kGet);
  ASSERT_TRUE(until([&] { return kept.ended(); }));
  EXPECT_TRUE(kept.got("Connection: close"));
  EXPECT_EQ(ended(Outcome::answered), 2u);
}

TEST_F(PipelineTest, AHopIsNeverQueuedButBounced) {
  client().send(kGet);
  client().send(kGet);
  ASSERT_TRUE(until([&] { return app_.requests() == 2; }));
  RawClient& hop = client();
  hop.send(kHop);
  ASSERT_TRUE(until([&] { return hop.got("Pilotlight-Not-Started: full\r\n"); }));
  ASSERT_TRUE(until([&] { return ended(Outcome::bounced) == 1; }));
  EXPECT_EQ(observer_.cells().bounces_full.read(), 1u);
  EXPECT_TRUE(hop.got("HTTP/1.1 503 "));
  EXPECT_EQ(app_.requests(), 2u);
  fence_.begin(shard_.clock.now());
  RawClient& late = client();
  late.send(kHop);
  ASSERT_TRUE(until([&] { return late.got("Pilotlight-Not-Started: draining\r\n"); }));
}

TEST_F(PipelineTest, AWaitingClientThatLeavesFreesItsPlaceAndItsDemandAtOnce) {
  client().send(kGet);
  client().send(kGet);
  RawClient& waiting = client();
  waiting.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nunread");
  ASSERT_TRUE(until([&] { return admission_.waiting() == 1; }));
  waiting.close();
  ASSERT_TRUE(until([&] { return admission_.waiting() == 0; }));
  EXPECT_EQ(meter_.in_flight(), 2u);
}

TEST_F(PipelineTest, ARunningClientThatLeavesEndsTheExchangeAndItsPermitComesBack) {
  RawClient& c = client();
  c.send(kGet);
  ASSERT_TRUE(until([&] { return app_.requests() == 1; }));
  c.close();
  ASSERT_TRUE(until([&] { return meter_.in_flight() == 0; }));
  ASSERT_TRUE(until([&] { return app_[0].ended; })) << "the app is told by a close";
  EXPECT_EQ(admission_.in_flight(), 1u) << "the app may still compute";
  ASSERT_TRUE(until([&] { return admission_.in_flight() == 0; })) << "100 ms at the latest";
  ASSERT_TRUE(until([&] { return ended(Outcome::client_left) == 1; }));
}

TEST_F(PipelineTest, AStaleConnectionIsNotTheClientsProblem) {
  app_.automatic = kOk;
  RawClient& c = client();
  c.send(kGet);
  ASSERT_TRUE(until([&] { return c.got("ok"); }));
  app_.close(0);
  c.send(kGet);
  ASSERT_TRUE(until([&] { return c.received().size() == 2 * kOk.size(); }));
  EXPECT_EQ(app_.accepted(), 2u);
}

TEST_F(PipelineTest, WhatTheAppMayHaveStartedIsNeverSentTwice) {
  RawClient& c = client();
  c.send(kGet);
  ASSERT_TRUE(until([&] { return app_.requests() == 1; }));
  app_.reset(0);
  ASSERT_TRUE(until([&] { return c.got("HTTP/1.1 502 "); }));
  EXPECT_EQ(app_.requests(), 1u);
  ASSERT_TRUE(until([&] { return ended(Outcome::upstream_failed) == 1; }));
}

TEST_F(PipelineTest, ALongBodyStreamsBothWaysChunkByChunk) {
  RawClient& c = client();
  c.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
  ASSERT_TRUE(
      until([&] { return app_.accepted() == 1 && app_[0].received.ends_with("first\r\n"); }));
  c.send("6\r\nsecond\r\n");
  ASSERT_TRUE(until([&] { return app_[0].received.ends_with("second\r\n"); }));
  c.send("0\r\nX-T: 1\r\n\r\n");
  ASSERT_TRUE(until([&] { return app_[0].received.ends_with("0\r\nX-T: 1\r\n\r\n"); }));
  app_.send(0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
  ASSERT_TRUE(until([&] { return c.got("2\r\nhi\r\n"); }));
  app_.send(0, "0\r\n\r\n");
  ASSERT_TRUE(until([&] { return c.got("0\r\n\r\n"); }));
  c.send(kGet);
  ASSERT_TRUE(until([&] {
    return app_.accepted() == 1 && app_[0].received.find("GET /") != std::string::npos;
  })) << "both connections go on";
}

TEST_F(PipelineTest, AnHttp10ClientGetsAPlainBodyAndAClose) {
  app_.automatic =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  RawClient& c = client();
  c.send("GET / HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(until([&] { return c.ended(); }));
  EXPECT_EQ(c.received(), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcde");
}

TEST_F(PipelineTest, AHopsLongBodyWaitsForThePermitAndTheAppIsNotAskedAgain) {
  RawClient& c = client();
  c.send(
      "POST / HTTP/1.1\r\nHost: a\r\nPilotlight-Hop: 7\r\nExpect: 100-continue\r\n"
      "Content-Length: 4\r\n\r\n");
  ASSERT_TRUE(until([&] { return c.received() == "HTTP/1.1 100 Continue\r\n\r\n"; }));
  c.send("body");
  ASSERT_TRUE(
      until([&] { return app_.accepted() == 1 && app_[0].received.ends_with("\r\n\r\nbody"); }));
  EXPECT_EQ(app_[0].received.find("Expect"), std::string::npos);
  app_.send(0, "HTTP/1.1 100 Continue\r\n\r\n");
  app_.send(0, kOk);
  ASSERT_TRUE(until([&] { return c.got("ok"); }));
  EXPECT_EQ(c.received(), "HTTP/1.1 100 Continue\r\n\r\n" + std::string(kOk));
}

TEST_F(PipelineTest, AnUpgradeBecomesATunnelThatCountsAsOneRequest) {
  RawClient& c = client();
  c.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  ASSERT_TRUE(until([&] { return app_.requests() == 1; }));
  app_.send(
      0,
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello");
  ASSERT_TRUE(until([&] { return c.got("hello"); }));
  c.send("from client");
  ASSERT_TRUE(until([&] { return app_[0].received.ends_with("from client"); }));
  EXPECT_EQ(pipeline_->in_flight(), 1u);
  c.half_close();
  ASSERT_TRUE(until([&] { return app_[0].ended; })) << "a half-close passes through a tunnel";
  app_.send(0, "last words");
  ASSERT_TRUE(until([&] { return c.got("last words"); }));
  app_.close(0);
  ASSERT_TRUE(until([&] { return c.ended() && pipeline_->in_flight() == 0; }));
}

TEST_F(PipelineTest, ProbesAreAnsweredByTheTableAndNeverCount) {
  struct Row {
    std::string_view lines, answer;
  };
  const std::vector<Row> rows = {
      {"User-Agent: kube-probe/1.3\r\nK-Network-Probe: queue\r\n", "\r\n\r\nqueue"},
      {"User-Agent: Knative-Activator-Probe\r\nK-Network-Probe: queue\r\n", "\r\n\r\nqueue"},
      {"User-Agent: Knative-Autoscaling-Probe\r\nK-Network-Probe: queue\r\n", "\r\n\r\nqueue"},
      {"User-Agent: Knative-Autoscaling-Probe\r\nK-Network-Probe: activator\r\n",
       "unexpected probe header value: activator\n"},
      {"User-Agent: kube-probe/1.3\r\n", "unexpected probe header value: \n"},
      {"K-Network-Probe: probe\r\nK-Network-Hash: h1\r\n", "K-Network-Hash: h1\r\n"},
      {"K-Network-Probe: probe\r\n", "must contain a non-empty \"K-Network-Hash\" header\n"},
  };
  const auto expect = [this](std::string_view lines, std::string_view answer) {
    SCOPED_TRACE(lines);
    RawClient& c = client();
    c.send("GET /any HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n");
    ASSERT_TRUE(until([&] { return c.got(answer); })) << c.received();
  };
  for (const Row& row : rows) expect(row.lines, row.answer);
  EXPECT_EQ(app_.requests(), 0u);
  EXPECT_EQ(observer_.cells().probes.read(), rows.size());
  EXPECT_EQ(meter_.snapshot(shard_.clock.now()).arrivals, 0u);
  fence_.begin(shard_.clock.now());
  for (const Row& row : rows) expect(row.lines, "\r\n\r\nshutting down\n");
}

TEST_F(PipelineTest, AProbeMarkedTheOldWayGoesToTheAppAndIsNoLoadButKeepsTheLimit) {
  client().send(kGet);
  client().send(kGet);
  ASSERT_TRUE(until([&] { return app_.requests() == 2; }));
  RawClient& old = client();
  old.send("GET /old HTTP/1.1\r\nHost: a\r\nK-Kubelet-Probe: queue\r\n\r\n");
  ASSERT_TRUE(until([&] { return admission_.waiting() == 1; }));
  EXPECT_EQ(meter_.in_flight(), 2u);
  app_.send(0, kOk);
  ASSERT_TRUE(until([&] { return app_.requests() == 3; }));
  app_.send(0, kOk);
  ASSERT_TRUE(until([&] { return old.got("ok"); }));
  EXPECT_EQ(meter_.snapshot(shard_.clock.now()).arrivals, 2u);
}

TEST_F(PipelineTest, AnAppThatIsGoneIs502ForAClientAndNotReadyForAHop) {
  app_pool_.clear();
  const test::HeldPort nobody;
  http::UpstreamPool pool(shard_.parts, {.address = nobody.endpoint(), .idle_limit = 1});
  Pipeline pipeline(parts(pool), params());
  Listener front(shard_.loop.get_executor(), shard_.clock,
                 [&](TcpStream stream) { shard_.scope.spawn(pipeline.serve(std::move(stream))); });
  ASSERT_TRUE(front.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0), false));
  shard_.scope.spawn(front.run());
  RawClient hop(shard_, front.local());
  hop.send(kHop);
  ASSERT_TRUE(until([&] { return hop.got("Pilotlight-Not-Started: not-ready\r\n"); }));
  EXPECT_EQ(lost_, 1);
  RawClient direct(shard_, front.local());
  direct.send(kGet);
  ASSERT_TRUE(until([&] { return direct.got("HTTP/1.1 502 "); }));
  EXPECT_TRUE(direct.got("dial 127.0.0.1:"));
  hop.close();
  direct.close();
  front.close();
  ASSERT_TRUE(until([&] { return pipeline.connections() == 0; }));
}

TEST_F(PipelineTest, ABadMessageIsAnsweredAndTheConnectionEnds) {
  RawClient& c = client();
  c.send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
  ASSERT_TRUE(until([&] { return c.got("HTTP/1.1 400 ") && c.ended(); }));
  RawClient& chunk = client();
  chunk.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
  ASSERT_TRUE(until([&] { return chunk.got("HTTP/1.1 400 "); }));
}

}  // namespace
}  // namespace pilotlight::proxy
