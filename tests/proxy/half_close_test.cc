// An app that ends its side behind an early answer and still reads what is being uploaded.
#include <boost/asio/write.hpp>

#include "tests/proxy/pipeline_fixture.h"

namespace pilotlight::proxy {
namespace {

using namespace std::chrono_literals;

/// One end of a connection that reads only once it is told to, and sends more than fits at once.
struct End {
  explicit End(TcpStream s) : stream(std::move(s)) {}

  TcpStream stream;
  std::string received;
  bool sent = false;
  bool reading = false;
  bool ended = false;

  Task<> send(std::string bytes, bool then_fin) {
    const auto [ec, n] =
        co_await asio::async_write(stream, asio::buffer(std::as_const(bytes)), use_tuple);
    ErrorCode ignored;
    if (!ec && then_fin) stream.shutdown(tcp::socket::shutdown_send, ignored);
    sent = !ec;
  }
  Task<> receive() {
    reading = true;
    std::array<char, 65536> piece;
    for (;;) {
      const auto [ec, n] = co_await stream.async_read_some(asio::buffer(piece), use_tuple);
      if (ec) break;
      received.append(piece.data(), n);
    }
    reading = false;
    ended = true;
  }
};

/// Socket buffers towards the client are small, so that an answer is soon more than they hold; so
/// are those that receive, which would else grow with the host's settings.
class HalfCloseTest : public PipelineTest {
 protected:
  void SetUp() override {
    PipelineTest::SetUp();
    const tcp::endpoint any(asio::ip::address_v4::loopback(), 0);
    ASSERT_TRUE(back_.bind(any, false));
    ASSERT_TRUE(narrow_.bind(any, false));
    http::UpstreamPool::Params to;
    to.address = back_.local();
    to.idle_limit = 1;
    pool_.emplace(shard_.parts, to);
    sidecar_.emplace(parts(*pool_), params());
    shard_.scope.spawn(back_.run());
    shard_.scope.spawn(narrow_.run());
    TcpStream stream(shard_.loop.get_executor());
    stream.open(tcp::v4());
    stream.set_option(asio::socket_base::receive_buffer_size(8 * 1024));
    stream.connect(narrow_.local());
    client_.emplace(std::move(stream));
  }
  void TearDown() override {
    ErrorCode ignored;
    client_->stream.close(ignored);
    if (app_end_) app_end_->stream.close(ignored);
    back_.close();
    narrow_.close();
    EXPECT_TRUE(until([this] {
      return sidecar_->connections() == 0 && !client_->reading && !(app_end_ && app_end_->reading);
    }));
    PipelineTest::TearDown();
  }

  std::optional<End> client_;
  std::optional<End> app_end_;
  std::optional<http::UpstreamPool> pool_;
  std::optional<Pipeline> sidecar_;
  Listener back_{shard_.loop.get_executor(), shard_.clock, [this](TcpStream stream) {
                   stream.set_option(asio::socket_base::receive_buffer_size(64 * 1024));
                   app_end_.emplace(std::move(stream));
                 }};
  Listener narrow_{shard_.loop.get_executor(), shard_.clock, [this](TcpStream stream) {
                     stream.set_option(asio::socket_base::send_buffer_size(8 * 1024));
                     stream.set_option(asio::socket_base::receive_buffer_size(64 * 1024));
                     shard_.scope.spawn(sidecar_->serve(std::move(stream)));
                   }};
};

TEST_F(HalfCloseTest, ABlockedUploadGoesOnWhenTheAppEndsItsSideBehindItsAnswer) {
  constexpr std::size_t kUpload = 16'000'000;  // beyond two send buffers
  const std::string answer(128'000, 'a');
  shard_.scope.spawn(
      client_->send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(kUpload) +
                        "\r\n\r\n" + std::string(kUpload, 'u'),
                    false));
  ASSERT_TRUE(until([this] { return app_end_.has_value(); }));
  shard_.run_for(50ms);  // until nothing moves: the app reads nothing
  ASSERT_FALSE(client_->sent);
  shard_.scope.spawn(app_end_->send(
      "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(answer.size()) + "\r\n\r\n" + answer,
      true));
  ASSERT_TRUE(until([this] { return app_end_->sent; }));
  shard_.run_for(50ms);  // until the client, which reads nothing yet either, has what it holds

  shard_.scope.spawn(app_end_->receive());
  ASSERT_TRUE(until([this] { return client_->sent; }))
      << "a client that sends first and reads then waits for ever";
  ASSERT_TRUE(until([&] { return app_end_->received.size() > kUpload; }));
  shard_.scope.spawn(client_->receive());
  ASSERT_TRUE(until([&] { return client_->received.ends_with("\r\n\r\n" + answer); }));
}

TEST_F(HalfCloseTest, AnAnswerThatIsWholeEndsTheUploadAndTheConnectionPolitely) {
  shard_.scope.spawn(
      client_->send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16000000\r\n\r\n" +
                        std::string(16'000'000, 'u'),
                    false));
  ASSERT_TRUE(until([this] { return app_end_.has_value(); }));
  shard_.run_for(50ms);
  ASSERT_FALSE(client_->sent);
  shard_.scope.spawn(client_->receive());
  shard_.scope.spawn(
      app_end_->send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nlarge", true));
  ASSERT_TRUE(until([this] { return client_->received.ends_with("large"); }));
  EXPECT_NE(client_->received.find("Connection: close\r\n"), std::string::npos);
  ASSERT_TRUE(until([this] { return ended(Outcome::answered) == 1; }));
  EXPECT_EQ(admission_.in_flight(), 0u);
}

}  // namespace
}  // namespace pilotlight::proxy
