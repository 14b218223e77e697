// SQLite's trick: whatever a request needs from the kernel fails once, at every place in turn, and
// after each time nothing is in flight, no permit is out, and the next request is served.

#include <deque>

#include <gtest/gtest.h>

#include "proxy/pipeline.h"
#include "tests/support/faulty_io.h"
#include "tests/support/loopback.h"

namespace pilotlight::proxy {
namespace {

using namespace std::chrono_literals;
using test::FaultyIo;
using test::RawClient;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class FaultSweepTest : public ::testing::Test,
                       protected ReadinessListener,
                       protected TrafficListener {
 public:
  /// One exchange, step by step. @return whether it went through as it should.
  using Shape = bool (FaultSweepTest::*)(RawClient& c);

  void SetUp() override {
    ASSERT_TRUE(front_.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0), false));
    shard_.scope.spawn(front_.run());
    shard_.scope.spawn(readiness_.run());
    ASSERT_TRUE(shard_.run_until([this] { return readiness_.ready(); }));
  }
  void TearDown() override {
    front_.close();
    readiness_.stop();
    pipeline_.stop();
    EXPECT_TRUE(shard_.run_until([this] { return pipeline_.connections() == 0; }));
    app_pool_.clear();
  }

  void app_ready(Duration, Duration) override {}
  void app_lost() override {}
  void became_idle() override {}

  Pipeline::Params params() {
    Pipeline::Params params;
    params.clocks.total = 300ms;  // so that what a fault leaves waiting ends soon
    params.hang_up_grace = 5ms;
    return params;
  }

  /// Runs until `done`, or until it can no longer come about.
  bool step(RawClient& c, const std::function<bool()>& done) {
    const TimePoint latest = shard_.clock.now() + 200ms;
    const bool ran =
        shard_.run_until([&] { return done() || c.ended() || shard_.clock.now() > latest; });
    return ran && done();
  }
  bool app_got(RawClient& c, std::string_view text) {
    return step(c, [&] {
      return app_.accepted() > first_ && app_[last()].received.find(text) != std::string::npos;
    });
  }
  [[nodiscard]] std::size_t last() const { return app_.accepted() - 1; }
  bool client_got(RawClient& c, std::string_view text) {
    return step(c, [&] { return c.got(text); });
  }
  bool answer(RawClient& c) {
    app_.send(last(), kOk);
    return client_got(c, "\r\n\r\nok");
  }

  bool get(RawClient& c) {
    c.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    return app_got(c, "/x") && answer(c);
  }
  bool two_on_kept_connections(RawClient& c) {
    if (!get(c)) return false;
    const std::size_t connections = app_.accepted();
    c.send("GET /y HTTP/1.1\r\nHost: a\r\n\r\n");
    if (!app_got(c, "/y")) return false;
    app_.send(last(), "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes");
    return client_got(c, "\r\n\r\nyes") && app_.accepted() == connections;
  }
  bool upload_of_a_length(RawClient& c) {
    c.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nabc");
    if (!app_got(c, "abc")) return false;
    c.send("defgh");
    return app_got(c, "abcdefgh") && answer(c);
  }
  bool upload_of_chunks(RawClient& c) {
    c.send("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    if (!app_got(c, "3\r\nabc\r\n")) return false;
    c.send("2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n");
    return app_got(c, "X-Sum: 1\r\n\r\n") && answer(c);
  }
  bool streamed_answer(RawClient& c) {
    c.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    if (!app_got(c, "/x")) return false;
    app_.send(last(), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    if (!client_got(c, "3\r\nabc\r\n")) return false;
    app_.send(last(), "2\r\nde\r\n0\r\n\r\n");
    return client_got(c, "0\r\n\r\n");
  }
  bool hop_that_expects(RawClient& c) {
    c.send(
        "POST /x HTTP/1.1\r\nHost: a\r\nPilotlight-Hop: 7\r\nExpect: 100-continue\r\n"
        "Content-Length: 4\r\n\r\n");
    if (!client_got(c, "100 Continue\r\n\r\n")) return false;
    c.send("body");
    return app_got(c, "body") && answer(c);
  }
  bool tunnel(RawClient& c) {
    c.send("GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    if (!app_got(c, "/x")) return false;
    app_.send(
        last(),
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    if (!client_got(c, "101")) return false;
    c.send("ping");
    if (!app_got(c, "ping")) return false;
    app_.send(last(), "pong");
    return client_got(c, "pong");
  }
  bool client_leaves(RawClient& c) {
    c.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    if (!app_got(c, "/x")) return false;
    c.close();
    return shard_.run_until([this] { return pipeline_.connections() == 0; });
  }

  /// Everything is as if the request had never been. @return false once a rule is broken.
  void expect_nothing_left() {
    ASSERT_TRUE(shard_.run_until([this] { return pipeline_.connections() == 0; }));
    EXPECT_EQ(pipeline_.in_flight(), 0u);
    EXPECT_EQ(admission_.in_flight(), 0u);
    EXPECT_EQ(admission_.waiting(), 0u);
    EXPECT_EQ(meter_.in_flight(), 0u);
    ASSERT_TRUE(shard_.run_until([this] { return readiness_.ready(); }));
  }

  bool attempt(Shape shape) {
    first_ = app_.accepted();
    bool through = false;
    {
      RawClient c(shard_, front_.local());
      through = (this->*shape)(c);
    }
    return through;
  }

  /// Every call in turn fails as `kind` says, until a run needs no more calls than came before.
  void sweep(Shape shape, FaultyIo::Kind kind) {
    const FaultyIo::Ports ports{front_.local().port(), app_.address().port()};
    for (std::size_t at = 0;; ++at) {
      SCOPED_TRACE(testing::Message() << "call " << at << ", kind " << static_cast<int>(kind));
      ASSERT_LT(at, 200u) << "a request has an end";
      bool fired = false;
      {
        FaultyIo fault(at, kind, ports);
        const bool through = attempt(shape);
        fired = fault.fired();
        EXPECT_TRUE(through || (fired && !fault.harmless())) << "nothing failed, yet it failed";
        expect_nothing_left();
        app_pool_.clear();
        if (HasFailure()) return;
      }
      EXPECT_TRUE(attempt(&FaultSweepTest::get)) << "the next request is not served";
      expect_nothing_left();
      app_pool_.clear();
      if (HasFailure()) return;
      if (!fired) {
        EXPECT_GE(at, 4u) << "the calls are not counted";
        return;
      }
    }
  }
  void sweep(Shape shape) {
    using Kind = FaultyIo::Kind;
    for (const Kind kind : {Kind::reset, Kind::broken_pipe, Kind::end_of_file, Kind::interrupted}) {
      sweep(shape, kind);
      if (HasFailure()) return;
    }
  }

  test::LoopbackShard shard_;
  test::FakeServer app_{shard_};
  DrainFence fence_{DrainFence::Params()};
  Admission admission_{shard_.clock, {.limit = 1, .queue_depth = 2}};
  http::UpstreamPool app_pool_{shard_.parts, {.address = app_.address(), .idle_limit = 8}};
  ConcurrencyMeter meter_{shard_.clock.now()};
  SocketProber prober_{shard_.parts};
  Readiness readiness_{shard_.clock, shard_.scope, prober_, {}, *this};
  Observer observer_{nullptr};
  Pipeline pipeline_{
      {shard_.parts, admission_, app_pool_, meter_, readiness_, fence_, *this, observer_},
      params()};
  Listener front_{shard_.loop.get_executor(), shard_.clock, [this](TcpStream stream) {
                    shard_.scope.spawn(pipeline_.serve(std::move(stream)));
                  }};
  std::size_t first_ = 0;  // the app's connections before the present attempt
};

TEST_F(FaultSweepTest, Get) { sweep(&FaultSweepTest::get); }
TEST_F(FaultSweepTest, TwoOnKeptConnections) { sweep(&FaultSweepTest::two_on_kept_connections); }
TEST_F(FaultSweepTest, UploadOfALength) { sweep(&FaultSweepTest::upload_of_a_length); }
TEST_F(FaultSweepTest, UploadOfChunks) { sweep(&FaultSweepTest::upload_of_chunks); }
TEST_F(FaultSweepTest, StreamedAnswer) { sweep(&FaultSweepTest::streamed_answer); }
TEST_F(FaultSweepTest, HopThatExpects) { sweep(&FaultSweepTest::hop_that_expects); }
TEST_F(FaultSweepTest, Tunnel) { sweep(&FaultSweepTest::tunnel); }
TEST_F(FaultSweepTest, ClientLeaves) { sweep(&FaultSweepTest::client_leaves); }

}  // namespace
}  // namespace pilotlight::proxy
