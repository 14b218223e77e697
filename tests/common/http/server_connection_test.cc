// How long a downstream connection waits for a head, and how its endings obey a process that stops.
#include "common/http/server_connection.h"

#include <optional>

#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include "tests/support/loopback.h"

namespace pilotlight::http {
namespace {

using namespace std::chrono_literals;

/// One connection, served by hand: a head is read and answered with `answer`, which closes unless
/// the connection is kept. The client reads nothing. Time is simulated.
class ServerConnectionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(front_.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0), false));
    shard_.scope.spawn(front_.run());
    client_.connect(front_.local());
    client_.set_option(asio::socket_base::receive_buffer_size(64 * 1024));  // else it may grow
  }
  void TearDown() override {
    front_.close();
    client_.close();
    EXPECT_TRUE(until([this] { return ended_; }));
  }

  Task<> serve(TcpStream stream) {
    ServerConnection down(shard_.parts, std::move(stream));
    down_ = &down;
    do {
      const Result<> read = co_await down.read_head(TimePoint::max());
      if (read && stop_first_) down.stop();
      answering_ = read.has_value();
      if (!read) break;
      replied_ = co_await down.reply(answer_, !keeps_);
    } while (down.end_request());
    co_await down.finish();
    down_ = nullptr;
    ended_ = true;
  }

  void ask(std::string_view request) {
    asio::write(client_, asio::buffer(request));
    ASSERT_TRUE(until([this] { return answering_; }));
  }
  /// A head that never ends: 60 s after its first byte the connection does.
  void expect_a_minute_for(std::string_view begun) {
    asio::write(client_, asio::buffer(begun));
    ASSERT_TRUE(until([&] { return down_ != nullptr && down_->in().size() == begun.size(); }));
    shard_.sim.advance(30s);
    asio::write(client_, asio::buffer("X-More: 1\r\n", 11));
    ASSERT_TRUE(until([&] { return down_->in().size() == begun.size() + 11; }));
    shard_.sim.advance(29s);
    EXPECT_FALSE(ended_) << "59 s";
    shard_.sim.advance(1s);
    ASSERT_TRUE(until([this] { return ended_; })) << "bytes that come do not prolong it";
  }
  [[nodiscard]] bool until(const std::function<bool()>& done) { return shard_.run_until(done); }
  void never_fits() { answer_.body.assign(30'000'000, 'x'); }

  test::LoopbackShard shard_{test::LoopbackShard::Time::simulated};
  Listener front_{shard_.loop.get_executor(), shard_.clock,
                  [this](TcpStream stream) { shard_.scope.spawn(serve(std::move(stream))); }};
  TcpStream client_{shard_.loop.get_executor()};
  LocalReply answer_;
  ServerConnection* down_ = nullptr;
  std::optional<Result<>> replied_;
  bool stop_first_ = false;
  bool keeps_ = false;
  bool answering_ = false;
  bool ended_ = false;
};

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kUnfinished =
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc";
constexpr std::string_view kBegun = "GET / HTTP/1.1\r\nHost: a\r\n";
constexpr Duration kStopTime = 250ms;

TEST_F(ServerConnectionTest, AHeadHasSixtySecondsFromItsFirstByte) { expect_a_minute_for(kBegun); }

TEST_F(ServerConnectionTest, TheNextHeadOfAKeptConnectionHasSixtySecondsAsWell) {
  keeps_ = true;
  ask(kGet);
  ASSERT_TRUE(until([this] { return replied_ && down_->in().empty(); }));
  shard_.sim.advance(90s);
  EXPECT_FALSE(ended_) << "between requests it may rest";
  expect_a_minute_for(kBegun);
}

TEST_F(ServerConnectionTest, AnAnswerThatNobodyReadsEndsSoonAfterAStop) {
  never_fits();
  ask(kGet);
  shard_.sim.advance(1s);
  EXPECT_FALSE(replied_) << "a slow client has five seconds";
  down_->stop();
  shard_.sim.advance(kStopTime - 1ms);
  EXPECT_FALSE(replied_);
  shard_.sim.advance(1ms);
  ASSERT_TRUE(until([this] { return ended_; }));
  EXPECT_FALSE(*replied_);
}

TEST_F(ServerConnectionTest, AnAnswerThatBeginsAfterAStopHasAsLittleTime) {
  never_fits();
  stop_first_ = true;
  ask(kGet);
  shard_.sim.advance(kStopTime);
  ASSERT_TRUE(until([this] { return ended_; }));
}

TEST_F(ServerConnectionTest, AStopEndsTheAnswerToAClientThatHasLeftByHalfToo) {
  never_fits();
  ask(kGet);
  client_.shutdown(tcp::socket::shutdown_send);
  ASSERT_TRUE(until([this] { return down_->interruption().cause() == Cause::left; }));
  EXPECT_FALSE(replied_) << "it may still read";
  down_->stop();
  shard_.sim.advance(kStopTime);
  ASSERT_TRUE(until([this] { return ended_; }));
}

TEST_F(ServerConnectionTest, ALingeringCloseEndsSoonAfterAStop) {
  ask(kUnfinished);
  ASSERT_TRUE(until([this] { return replied_.has_value(); }));
  shard_.sim.advance(500ms);
  EXPECT_FALSE(ended_) << "the client may still send what it was about to";
  down_->stop();
  shard_.sim.advance(kStopTime);
  ASSERT_TRUE(until([this] { return ended_; }));
}

TEST_F(ServerConnectionTest, WithoutAStopALingeringCloseTakesASecond) {
  ask(kUnfinished);
  ASSERT_TRUE(until([this] { return replied_.has_value(); }));
  shard_.sim.advance(999ms);
  EXPECT_FALSE(ended_);
  shard_.sim.advance(1ms);
  ASSERT_TRUE(until([this] { return ended_; }));
}

}  // namespace
}  // namespace pilotlight::http
