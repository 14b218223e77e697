// SQLite's trick: whatever a request needs from the kernel fails once, at every place in turn, and
// after each time nothing is in flight, no permit is out, and the next request is served.

#include "tests/proxy/sidecar_fixture.h"
#include "tests/support/faulty_io.h"
#include "tests/support/tls_identity.h"
#include "tests/support/transport_client.h"

namespace pilotlight::proxy {
namespace {

using namespace std::chrono_literals;
using test::FaultyIo;
using Client = test::TransportClient;

enum class Front : bool { plain, tls };

class FaultSweepTest : public SidecarFixture, public ::testing::WithParamInterface<Front> {
 public:
  /// One exchange, step by step. @return whether it went through as it should.
  using Shape = bool (FaultSweepTest::*)(Client& c);

  FaultSweepTest() : SidecarFixture(1, Time::simulated) {}

  void SetUp() override {
    if (GetParam() == Front::tls) {
      const test::TlsIdentity identity = test::make_tls_identity("sidecar");
      served_ = *TlsContext::server(TlsSettings(), identity.certificate, identity.key);
      trust_ = *TlsContext::client(identity.certificate);
    }
    open(params());
    shard_.scope.spawn(readiness_.run());
    ASSERT_TRUE(until([this] { return readiness_.ready(); }));
  }
  void TearDown() override { close(); }
  /// What can go on without a timeout does so first.
  void pass_time() override {
    if (shard_.loop.poll() == 0) shard_.sim.advance(10ms);
  }
  Transport accepted(TcpStream stream) override {
    if (served_ == nullptr) return Transport(std::move(stream));
    return served_->accept(std::move(stream));
  }

  Pipeline::Params params() {
    Pipeline::Params params;
    params.clocks.total = 300ms;  // so that what a fault leaves waiting ends soon
    params.hang_up_grace = 5ms;
    return params;
  }

  /// Runs until `done`, or until it can no longer come about. Time goes on only once something has
  /// failed: nothing else may need a timeout.
  bool step(Client& c, const std::function<bool()>& done) {
    const TimePoint latest = shard_.clock.now() + 200ms;
    const bool ran = until([&] {
      if (done() || c.ended() || shard_.clock.now() > latest) return true;
      if (fault_ != nullptr && fault_->fired() && !fault_->harmless()) pass_time();
      return false;
    });
    return ran && done();
  }
  /// Runs until `done`, which timeouts may bring about.
  bool in_time(const std::function<bool()>& done) {
    return until([&] {
      if (!done()) pass_time();
      return done();
    });
  }
  bool app_got(Client& c, std::string_view text) {
    return step(c, [&] {
      return app_.accepted() > first_ && app_[last()].received.find(text) != std::string::npos;
    });
  }
  [[nodiscard]] std::size_t last() const { return app_.accepted() - 1; }
  bool client_got(Client& c, std::string_view text) {
    return step(c, [&] { return c.got(text); });
  }
  bool answer(Client& c) {
    app_.send(last(), kOk);
    return client_got(c, "\r\n\r\nok");
  }

  bool get(Client& c) {
    c.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    return app_got(c, "/x") && answer(c);
  }
  bool two_on_kept_connections(Client& c) {
    if (!get(c)) return false;
    const std::size_t connections = app_.accepted();
    shard_.sim.advance(1ms);  // the app's connection is idle for so long that it is looked at first
    c.send("GET /y HTTP/1.1\r\nHost: a\r\n\r\n");
    if (!app_got(c, "/y")) return false;
    app_.send(last(), "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes");
    return client_got(c, "\r\n\r\nyes") && app_.accepted() == connections;
  }
  bool upload_of_a_length(Client& c) {
    c.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nabc");
    if (!app_got(c, "abc")) return false;
    c.send("defgh");
    return app_got(c, "abcdefgh") && answer(c);
  }
  bool upload_of_chunks(Client& c) {
    c.send("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    if (!app_got(c, "3\r\nabc\r\n")) return false;
    c.send("2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n");
    return app_got(c, "X-Sum: 1\r\n\r\n") && answer(c);
  }
  bool streamed_answer(Client& c) {
    c.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    if (!app_got(c, "/x")) return false;
    app_.send(last(), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    if (!client_got(c, "3\r\nabc\r\n")) return false;
    app_.send(last(), "2\r\nde\r\n0\r\n\r\n");
    return client_got(c, "0\r\n\r\n");
  }
  bool hop_that_expects(Client& c) {
    c.send(
        "POST /x HTTP/1.1\r\nHost: a\r\nPilotlight-Hop: 7\r\nExpect: 100-continue\r\n"
        "Content-Length: 4\r\n\r\n");
    if (!client_got(c, "100 Continue\r\n\r\n")) return false;
    c.send("body");
    return app_got(c, "body") && answer(c);
  }
  bool tunnel(Client& c) {
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
  /// The one answer that only the connection's end delimits: cut short, it must not look whole.
  bool answer_until_the_end(Client& c) {
    c.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    if (!app_got(c, "/x")) return false;
    app_.send(last(), "HTTP/1.1 200 OK\r\n\r\nabc");
    const bool begun = client_got(c, "\r\n\r\nabc");
    app_.send(last(), "def");
    app_.close(last());
    return step(c, [&] { return c.ended(); }) && begun && c.ended_politely() && c.got("abcdef");
  }
  bool client_leaves(Client& c) {
    c.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    if (!app_got(c, "/x")) return false;
    c.close();
    return in_time([this] { return pipeline_->connections() == 0; });
  }

  /// Everything is as if the request had never been. @return false once a rule is broken.
  void expect_all_over() {
    ASSERT_TRUE(in_time([this] { return pipeline_->connections() == 0; }));
    expect_nothing_left();
    shard_.sim.advance(1s);  // the end of a pause that an accept has made
    ASSERT_TRUE(in_time([this] { return readiness_.ready(); }));
  }
  /// With TLS a client can tell a cut answer from a whole one, unless we lie to it. What looks like
  /// the app's own end cannot be told from one, by anybody.
  void expect_no_lie(const Client& c, FaultyIo::Kind kind) {
    const bool tellable = GetParam() == Front::tls && kind != FaultyIo::Kind::end_of_file;
    if (!tellable || !c.ended_politely() || !c.got("\r\n\r\nabc")) return;
    if (c.got("Content-Length") || c.got("Transfer-Encoding")) return;  // these tell it themselves
    EXPECT_TRUE(c.got("abcdef")) << "a part was passed off as the whole: " << c.received();
  }

  bool attempt(Shape shape, FaultyIo::Kind kind) {
    first_ = app_.accepted();
    Client c(shard_, front_.local(), trust_.get());
    const bool through = (this->*shape)(c);
    expect_no_lie(c, kind);
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
        fault_ = &fault;
        const bool through = attempt(shape, kind);
        fired = fault.fired();
        fault_ = nullptr;
        EXPECT_TRUE(through || (fired && !fault.harmless())) << "nothing failed, yet it failed";
        expect_all_over();
        app_pool_.clear();
        if (HasFailure()) return;
      }
      EXPECT_TRUE(attempt(&FaultSweepTest::get, kind)) << "the next request is not served";
      expect_all_over();
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

  std::shared_ptr<const TlsContext> served_;  // null: plain TCP
  std::shared_ptr<const TlsContext> trust_;
  const FaultyIo* fault_ = nullptr;  // of the present attempt
  std::size_t first_ = 0;            // the app's connections before the present attempt
};

TEST_P(FaultSweepTest, Get) { sweep(&FaultSweepTest::get); }
TEST_P(FaultSweepTest, TwoOnKeptConnections) { sweep(&FaultSweepTest::two_on_kept_connections); }
TEST_P(FaultSweepTest, UploadOfALength) { sweep(&FaultSweepTest::upload_of_a_length); }
TEST_P(FaultSweepTest, UploadOfChunks) { sweep(&FaultSweepTest::upload_of_chunks); }
TEST_P(FaultSweepTest, StreamedAnswer) { sweep(&FaultSweepTest::streamed_answer); }
TEST_P(FaultSweepTest, AnswerUntilTheEnd) { sweep(&FaultSweepTest::answer_until_the_end); }
TEST_P(FaultSweepTest, HopThatExpects) { sweep(&FaultSweepTest::hop_that_expects); }
TEST_P(FaultSweepTest, Tunnel) { sweep(&FaultSweepTest::tunnel); }
TEST_P(FaultSweepTest, ClientLeaves) { sweep(&FaultSweepTest::client_leaves); }

INSTANTIATE_TEST_SUITE_P(Fronts, FaultSweepTest, ::testing::Values(Front::plain, Front::tls),
                         [](const auto& front) {
                           return front.param == Front::tls ? "Tls" : "Plain";
                         });

}  // namespace
}  // namespace pilotlight::proxy
