/// How an answer and a connection end, and what goes before an answer.
#include "tests/proxy/pipeline_fixture.h"

namespace pilotlight::proxy {
namespace {

using namespace std::chrono_literals;
using test::RawClient;

TEST_F(PipelineTest, AnEndThatComesWithTheLastBytesIsSeen) {
  // One event for both: whoever takes a short read for the last news waits for ever.
  for (const bool whole : {true, false}) {
    const std::size_t i = app_.accepted();
    RawClient& c = client();
    c.send(kGet);
    ASSERT_TRUE(until([&] { return app_.accepted() == i + 1 && app_[i].received.size() > 0; }));
    app_.send(i, whole ? "HTTP/1.1 200 OK\r\n\r\nabc"
                       : "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    app_.close(i);
    ASSERT_TRUE(until([&] { return c.ended(); }));
    EXPECT_TRUE(c.got("\r\n\r\nabc"));
    const Outcome outcome = whole ? Outcome::answered : Outcome::broken_off;
    ASSERT_TRUE(until([&] { return ended(outcome) == 1; }));
    EXPECT_EQ(ended(Outcome::deadline), 0u);
  }
}

TEST_F(PipelineTest, TheFirstOfTheRequestsAtHandIsAnnouncedBeforeItCounts) {
  for (int i = 0; i < 2; ++i) client().send(kGet);
  ASSERT_TRUE(until([&] { return app_.requests() == 2; }));
  EXPECT_EQ(busy_, (std::vector<std::uint64_t>{0}));
  app_.send(0, kOk);
  app_.send(1, kOk);
  ASSERT_TRUE(until([&] { return pipeline_->in_flight() == 0; }));
  app_.automatic = kOk;
  client().send(kGet);
  ASSERT_TRUE(until([&] { return ended(Outcome::answered) == 3; }));
  EXPECT_EQ(busy_, (std::vector<std::uint64_t>{0, 2}));
}

TEST_F(PipelineTest, BodiesOfEveryFramingAreMeasured) {
  RawClient& c = client();
  c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  ASSERT_TRUE(until([&] { return app_.requests() == 1; }));
  app_.send(0, kOk);
  ASSERT_TRUE(until([&] { return ended(Outcome::answered) == 1; }));
  c.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  c.send("5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n");
  ASSERT_TRUE(until([&] { return app_[0].received.ends_with("0\r\n\r\n"); }));
  app_.send(0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n");
  ASSERT_TRUE(until([&] { return ended(Outcome::answered) == 2; }));
  c.send(kGet);
  ASSERT_TRUE(until([&] { return app_[0].received.find("GET / ") != std::string::npos; }));
  app_.send(0, "HTTP/1.1 200 OK\r\n\r\nto the end");
  app_.close(0);
  ASSERT_TRUE(until([&] { return ended(Outcome::answered) == 3; }));
  EXPECT_EQ(observer_.cells().request_body.sample(1, Labels()).sum, 3 + 11);
  EXPECT_EQ(observer_.cells().response_body.sample(1, Labels()).sum, 2 + 4 + 10);
}

TEST_F(PipelineTest, ATruncatedAnswerIsNeverPassedOffAsWhole) {
  RawClient& c = client();
  c.send(kGet);
  ASSERT_TRUE(until([&] { return app_.requests() == 1; }));
  app_.send(0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  ASSERT_TRUE(until([&] { return c.got("abc"); })) << "what is there streams through";
  app_.close(0);
  ASSERT_TRUE(until([&] { return c.ended(); }));
  EXPECT_FALSE(c.got("0\r\n\r\n"));
  ASSERT_TRUE(until([&] { return ended(Outcome::broken_off) == 1; }));
}

TEST_F(PipelineTest, AnEarlyAnswerToAnUploadIsNotDestroyedByAReset) {
  RawClient& c = client();
  c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nthe first");
  ASSERT_TRUE(until([&] { return app_.requests() == 1; }));
  app_.send(0, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nlarge");
  c.send(std::string(70'000, 'x'));  // a close with these unread is a reset
  ASSERT_TRUE(until([&] { return ended(Outcome::answered) == 1; }));
  EXPECT_EQ(admission_.in_flight(), 0u) << "the permit does not wait for what is thrown away";
  ASSERT_TRUE(until([&] { return c.ended(); }));
  EXPECT_TRUE(c.got("large"));
  EXPECT_FALSE(c.was_reset());
}

TEST_F(PipelineTest, APermitThatIsHeldUntilAnsweredOutlivesAnAnswerThatHasBegun) {
  Pipeline::Params holding = params();
  holding.hold_permit_until_answered = true;
  Pipeline pipeline(parts(app_pool_), holding);
  Listener front(shard_.loop.get_executor(), shard_.clock,
                 [&](TcpStream stream) { shard_.scope.spawn(pipeline.serve(std::move(stream))); });
  ASSERT_TRUE(front.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0), false));
  shard_.scope.spawn(front.run());
  for (const bool begun : {false, true}) {
    const std::size_t i = app_.accepted();
    RawClient c(shard_, front.local());
    c.send(kGet);
    ASSERT_TRUE(until([&] { return app_.accepted() == i + 1 && !app_[i].received.empty(); }));
    const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    if (begun) {
      app_.send(i, head);
      ASSERT_TRUE(until([&] { return c.got("abc"); }));
    }
    c.close();
    ASSERT_TRUE(until([&] { return meter_.in_flight() == 0; }));
    shard_.run_for(20ms);
    EXPECT_EQ(admission_.in_flight(), 1u) << "the app still computes";
    EXPECT_FALSE(app_[i].ended);
    if (begun) {
      app_.send(i, "3\r\ndef\r\n");
      shard_.run_for(20ms);
      EXPECT_EQ(admission_.in_flight(), 1u) << "and answers on, to nobody";
    }
    app_.send(i, begun ? "0\r\n\r\n" : head + "0\r\n\r\n");
    ASSERT_TRUE(until([&] { return admission_.in_flight() == 0; }));
  }
  front.close();
  ASSERT_TRUE(until([&] { return pipeline.connections() == 0; }));
}

TEST_F(PipelineTest, AClientThatBreaksATunnelOffEndsIt) {
  RawClient& c = client();
  c.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  ASSERT_TRUE(until([&] { return app_.requests() == 1; }));
  app_.send(
      0,
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello");
  ASSERT_TRUE(until([&] { return c.got("hello"); }));
  c.reset();
  ASSERT_TRUE(until([&] { return ended(Outcome::client_left) == 1; }))
      << "nobody is left to read what the app may still send";
  EXPECT_TRUE(until([&] { return admission_.in_flight() == 0; }));
}

TEST_F(PipelineTest, InterimAnswersPassAndADirectClientsExpectationIsTheApps) {
  RawClient& c = client();
  c.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  ASSERT_TRUE(until([&] { return app_.requests() == 1; }));
  EXPECT_NE(app_[0].received.find("\r\nExpect: 100-continue\r\n"), std::string::npos);
  EXPECT_EQ(c.received(), "") << "only the app can tell that it wants the body";
  const std::string interim =
      "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
  app_.send(0, interim);
  ASSERT_TRUE(until([&] { return c.received() == interim; }));
  c.send("body");
  ASSERT_TRUE(until([&] { return app_[0].received.ends_with("\r\n\r\nbody"); }));
  app_.send(0, kOk);
  ASSERT_TRUE(until([&] { return c.got("ok"); }));
  RawClient& old = client();
  old.send("GET / HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(until([&] { return app_.requests() == 2; }));
  app_.send(0, interim + std::string(kOk));
  ASSERT_TRUE(until([&] { return old.ended(); }));
  EXPECT_TRUE(old.received().starts_with("HTTP/1.1 200 OK\r\n")) << "1.0 knows no interim answers";
}

TEST_F(PipelineTest, TheAnswerToHeadHasNoBodyWhateverItsFieldsSay) {
  RawClient& c = client();
  c.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + std::string(kGet));
  ASSERT_TRUE(until([&] { return app_.requests() == 1; }));
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n";
  app_.send(0, head);
  ASSERT_TRUE(until([&] { return app_.requests() == 2; }))
      << "the next one, on the same connection";
  app_.send(0, kOk);
  ASSERT_TRUE(until([&] { return c.received() == head + std::string(kOk); }));
  EXPECT_EQ(app_.accepted(), 1u);
}

TEST_F(PipelineTest, AnOldClientIsNotToldOfATransferCodingEvenWhereThereIsNoBody) {
  for (const std::string request : {"HEAD / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"}) {
    RawClient& c = client();
    const std::size_t i = app_.requests();
    c.send(request);
    ASSERT_TRUE(until([&] { return app_.requests() == i + 1; }));
    app_.send(app_.accepted() - 1,
              "HTTP/1.1 304 Not Modified\r\nETag: a\r\nTransfer-Encoding: chunked\r\n"
              "Trailer: X-Sum\r\n\r\n");
    ASSERT_TRUE(until([&] { return c.ended(); }));
    EXPECT_EQ(c.received(), "HTTP/1.1 304 Not Modified\r\nETag: a\r\nConnection: close\r\n\r\n");
  }
}

}  // namespace
}  // namespace pilotlight::proxy
