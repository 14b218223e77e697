// What a client is told of an app that fails before its answer has begun.
#include "tests/proxy/pipeline_fixture.h"

namespace pilotlight::proxy {
namespace {

struct Failure {
  std::string sent;
  bool closes;
  std::string_view reason;
};

TEST_F(PipelineTest, A502NamesWhatIsWrongWithTheAnswer) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::vector<Failure> failures = {
      {"HTP/1.1 200 OK\r\n\r\n", false, "malformed status line"},
      {"HTTP/1.1 20 OK\r\n\r\n", false, "malformed status line"},
      {"garbage\r\n\r\n", true, "malformed status line"},
      {ok + "X : y\r\n\r\n", false, "malformed header field"},
      {ok + "X: y\r\n folded\r\n\r\n", false, "malformed header field"},
      {ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", false, "ambiguous length"},
      {ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", false, "ambiguous length"},
      {ok + "X: " + std::string(70'000, 'x'), false, "response head too large"},
      {ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", false, "malformed chunk"},
      {ok + "X: y\r\n", true, "closed the connection inside its response head"},
      {"", true, "closed the connection before it answered"},
      {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", false,
       "switched protocols unasked"},
  };
  for (const Failure& failure : failures) {
    SCOPED_TRACE(failure.reason);
    const std::size_t i = app_.accepted();
    test::RawClient& c = client();
    c.send(kGet);
    ASSERT_TRUE(until([&] { return app_.accepted() == i + 1 && !app_[i].received.empty(); }));
    app_.send(i, failure.sent);
    if (failure.closes) app_.close(i);
    ASSERT_TRUE(until([&] { return c.ended(); }));
    EXPECT_TRUE(c.got("HTTP/1.1 502 Bad Gateway\r\n")) << c.received();
    EXPECT_TRUE(c.got("\r\n\r\nthe app at 127.0.0.1:")) << c.received();
    EXPECT_TRUE(c.got(failure.reason)) << c.received();
    ASSERT_TRUE(until([&] { return admission_.in_flight() == 0; }));
  }
  EXPECT_EQ(ended(Outcome::upstream_failed), failures.size());
}

TEST_F(PipelineTest, AnAppThatSwitchesToSomethingElseThanAskedIs502) {
  test::RawClient& c = client();
  c.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  ASSERT_TRUE(until([&] { return app_.requests() == 1; }));
  app_.send(0, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n");
  ASSERT_TRUE(until([&] { return c.ended(); }));
  EXPECT_TRUE(c.got("HTTP/1.1 502 Bad Gateway\r\n")) << c.received();
  EXPECT_TRUE(c.got("switched protocols unasked")) << c.received();
  EXPECT_EQ(ended(Outcome::upstream_failed), 1u);
}

}  // namespace
}  // namespace pilotlight::proxy
