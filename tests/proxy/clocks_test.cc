// The three clocks of a request on real sockets under simulated time.

#include <deque>

#include <gtest/gtest.h>

#include "proxy/pipeline.h"
#include "tests/support/loopback.h"

namespace pilotlight::proxy {
namespace {

using namespace std::chrono_literals;
using test::RawClient;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kHead = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n";
constexpr std::string_view kUpgrade =
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
constexpr std::string_view kSwitched =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

/// A pipeline with a total of 60 s, a response-start of 10 s and an idle clock of 5 s, each as far
/// as the test asks for it.
class ClocksTest : public ::testing::Test, protected ReadinessListener, protected TrafficListener {
 protected:
  void start(http::RequestClocks clocks, std::uint32_t limit = 8) {
    admission_.set_limit(limit);
    Pipeline::Params params;
    params.clocks = clocks;
    pipeline_.emplace(Pipeline::Parts{shard_.parts, admission_, app_pool_, meter_, readiness_,
                                      fence_, *this, observer_},
                      params);
    ASSERT_TRUE(front_.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0), false));
    shard_.scope.spawn(front_.run());
  }
  void TearDown() override {
    clients_.clear();
    front_.close();
    pipeline_->stop();
    // The app's grace for closing its side is simulated time as well.
    EXPECT_TRUE(until([this] {
      shard_.sim.advance(10ms);
      return pipeline_->connections() == 0;
    }));
    EXPECT_EQ(admission_.in_flight(), 0u);
    EXPECT_EQ(meter_.in_flight(), 0u);
    app_pool_.clear();
  }

  void app_ready(Duration, Duration) override {}
  void app_lost() override {}
  void became_idle() override {}

  RawClient& client(std::string_view bytes) {
    RawClient& c = clients_.emplace_back(shard_, front_.local());
    c.send(bytes);
    return c;
  }
  [[nodiscard]] bool until(const std::function<bool()>& done) { return shard_.run_until(done); }
  /// Moves time; what it makes happen on sockets is then waited for.
  void pass(Duration time) { shard_.sim.advance(time); }

  /// A client whose answer is broken off hears of it once the app has been hung up on: 100 ms later
  /// when the app keeps its side open.
  [[nodiscard]] bool until_cut(RawClient& c) {
    if (!until([this] { return app_[0].ended; })) return false;
    pass(100ms);
    return until([&] { return c.ended(); });
  }

  test::LoopbackShard shard_{test::LoopbackShard::Time::simulated};
  test::FakeServer app_{shard_};
  DrainFence fence_{DrainFence::Params()};
  Admission admission_{shard_.clock, {.limit = 8, .queue_depth = 8}};
  http::UpstreamPool app_pool_{shard_.parts, {.address = app_.address(), .idle_limit = 8}};
  ConcurrencyMeter meter_{shard_.clock.now()};
  SocketProber prober_{shard_.parts};
  Readiness readiness_{shard_.clock, shard_.scope, prober_, {}, *this};
  Observer observer_{nullptr};
  std::optional<Pipeline> pipeline_;
  Listener front_{shard_.loop.get_executor(), shard_.clock, [this](TcpStream stream) {
                    shard_.scope.spawn(pipeline_->serve(std::move(stream)));
                  }};
  std::deque<RawClient> clients_;
};

TEST_F(ClocksTest, TheTotalEndsARequestThatWasNotAnswered) {
  start({60s, std::nullopt, std::nullopt});
  RawClient& c = client(kGet);
  ASSERT_TRUE(until([&] { return app_.requests() == 1; }));
  pass(60s - 1ms);
  EXPECT_EQ(c.received(), "");
  pass(1ms);
  ASSERT_TRUE(until([&] { return c.got("\r\n\r\nrequest timeout"); }));
  EXPECT_TRUE(c.got("HTTP/1.1 504 "));
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
