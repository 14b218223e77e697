// The three clocks of a request on real sockets under simulated time.

#include "tests/proxy/sidecar_fixture.h"

namespace pilotlight::proxy {
namespace {

using namespace std::chrono_literals;
using test::RawClient;

constexpr std::string_view kHead = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n";
constexpr std::string_view kUpgrade =
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
constexpr std::string_view kSwitched =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

/// A sidecar under simulated time, with the clocks that the test asks for.
class ClocksTest : public SidecarFixture {
 protected:
  ClocksTest() : SidecarFixture(8, Time::simulated) {}

  void start(http::RequestClocks clocks, std::uint32_t limit = 8) {
    admission_.set_limit(limit);
    Pipeline::Params params;
    params.clocks = clocks;
    open(params);
  }
  void TearDown() override { close(); }
  // The app's grace for closing its side is simulated time as well.
  void pass_time() override { shard_.sim.advance(10ms); }

  RawClient& client(std::string_view bytes) {
    RawClient& c = SidecarFixture::client();
    c.send(bytes);
    return c;
  }
  /// Moves time; what it makes happen on sockets is then waited for.
  void pass(Duration time) { shard_.sim.advance(time); }

  /// A client whose answer is broken off hears of it once the app has been hung up on: 100 ms later
  /// when the app keeps its side open.
  [[nodiscard]] bool until_cut(RawClient& c) {
    if (!until([this] { return app_[0].ended; })) return false;
    pass(100ms);
    return until([&] { return c.ended(); });
  }
};

TEST_F(ClocksTest, TheTotalEndsARequestThatWasNotAnsweredAndHangsUpOnTheApp) {
  start({60s, std::nullopt, std::nullopt});
  RawClient& c = client(kGet);
  ASSERT_TRUE(until([&] { return app_.requests() == 1; }));
  pass(60s - 1ms);
  EXPECT_EQ(c.received(), "");
  pass(1ms);
  ASSERT_TRUE(until([&] { return c.got("\r\n\r\nrequest timeout"); }));
  EXPECT_TRUE(c.got("HTTP/1.1 504 "));
  ASSERT_TRUE(until([this] { return app_[0].ended; }));
  pass(100ms);
  EXPECT_TRUE(until([this] { return pipeline_->in_flight() == 0; }));
}

TEST_F(ClocksTest, TheTotalBreaksOffAnAnswerThatStillStreams) {
  start({60s, 10s, 5s});
  RawClient& c = client(kGet);
  ASSERT_TRUE(until([&] { return app_.requests() == 1; }));
  app_.send(0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int second = 0; second < 60; second += 4) {
    app_.send(0, "1\r\nx\r\n");
    const std::size_t before = c.received().size();
    ASSERT_TRUE(until([&] { return c.received().size() >= before + 6; })) << second;
    pass(4s);
  }
  ASSERT_TRUE(until_cut(c));
  EXPECT_FALSE(c.got("0\r\n\r\n")) << "no client may take it for complete";
  EXPECT_FALSE(c.got("request timeout")) << "nothing is appended to bodies";
}

TEST_F(ClocksTest, ResponseStartEndsOnlyWhatHasNotStarted) {
  start({60s, 10s, std::nullopt});
  RawClient& never = client(kGet);
  RawClient& started = client(kGet);
  ASSERT_TRUE(until([&] { return app_.requests() == 2; }));
  app_.send(1, kHead);
  ASSERT_TRUE(until([&] { return started.got("\r\n\r\n") || never.got("\r\n\r\n"); }));
  // Which client got the app's second connection is the kernel's choice.
  RawClient& waits = started.got("200") ? never : started;
  RawClient& streams = started.got("200") ? started : never;
  pass(10s);
  ASSERT_TRUE(until([&] { return waits.got("request timeout"); }));
  pass(40s);
  app_.send(1, "answer");
  ASSERT_TRUE(until([&] { return streams.got("answer"); }));
}

TEST_F(ClocksTest, IdleCountsFromTheLastWriteAndBeforeTheFirstFromTheStart) {
  start({60s, std::nullopt, 5s});
  RawClient& c = client(kGet);
  ASSERT_TRUE(until([&] { return app_.requests() == 1; }));
  pass(4s);
  app_.send(0, kHead);
  ASSERT_TRUE(until([&] { return c.got("\r\n\r\n"); }));
  pass(4s);
  app_.send(0, "ans");
  ASSERT_TRUE(until([&] { return c.got("ans"); }));
  pass(5s - 1ms);
  EXPECT_FALSE(c.ended());
  pass(1ms);
  ASSERT_TRUE(until_cut(c));

  RawClient& silent = client(kGet);
  ASSERT_TRUE(until([&] { return app_.requests() == 2; }));
  pass(5s);
  ASSERT_TRUE(until([&] { return silent.got("request timeout"); }));
}

TEST_F(ClocksTest, UploadingIsNotAMove) {
  start({60s, std::nullopt, 5s});
  RawClient& c = client("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n");
  ASSERT_TRUE(until([&] { return app_.requests() == 1; }));
  pass(3s);
  c.send("some of it");
  ASSERT_TRUE(until([&] { return app_[0].received.ends_with("some of it"); }));
  pass(2s);
  ASSERT_TRUE(until([&] { return c.got("request timeout"); }));
}

TEST_F(ClocksTest, WaitingForAPermitSpendsEveryClock) {
  start({60s, 10s, std::nullopt}, 1);
  RawClient& first = client(kGet);
  ASSERT_TRUE(until([&] { return app_.requests() == 1; }));
  app_.send(0, kHead);
  ASSERT_TRUE(until([&] { return first.got("\r\n\r\n"); }));
  RawClient& second = client(kGet);
  ASSERT_TRUE(until([&] { return admission_.waiting() == 1; }));
  pass(10s);
  ASSERT_TRUE(until([&] { return second.got("request timeout"); }));
  EXPECT_EQ(admission_.waiting(), 0u);
}

TEST_F(ClocksTest, ATunnelLivesAsLongAsBytesOfEitherDirectionPass) {
  start({60s, 10s, 5s});
  RawClient& c = client(kUpgrade);
  ASSERT_TRUE(until([&] { return app_.requests() == 1; }));
  app_.send(0, kSwitched);
  ASSERT_TRUE(until([&] { return c.got("\r\n\r\n"); }));
  for (int turn = 0; turn < 6; ++turn) {  // 24 s: beyond response-start and idle
    pass(4s);
    const std::size_t up = app_[0].received.size();
    const std::size_t down = c.received().size();
    if (turn % 2 == 0) {
      c.send("ping");
      ASSERT_TRUE(until([&] { return app_[0].received.size() == up + 4; }));
    } else {
      app_.send(0, "pong");
      ASSERT_TRUE(until([&] { return c.received().size() == down + 4; }));
    }
  }
  EXPECT_FALSE(c.ended());
  pass(5s);
  ASSERT_TRUE(until_cut(c));
}

TEST_F(ClocksTest, TheNextRequestOfAConnectionStartsItsOwnClocks) {
  start({60s, 10s, 5s});
  RawClient& c = client(kGet);
  ASSERT_TRUE(until([&] { return app_.requests() == 1; }));
  app_.send(0, std::string(kHead) + "answer");
  ASSERT_TRUE(until([&] { return c.got("answer"); }));
  pass(3600s);
  EXPECT_FALSE(c.ended()) << "an idle connection has no clock";
  c.send(kGet);
  ASSERT_TRUE(until([&] { return app_.requests() == 2; }));
  pass(4s);
  EXPECT_FALSE(c.got("request timeout"));
  pass(1s);
  ASSERT_TRUE(until([&] { return c.got("request timeout"); }));
}

}  // namespace
}  // namespace pilotlight::proxy
