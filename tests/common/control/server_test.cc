#include "common/control/server.h"

#include <string>
#include <vector>

#include <boost/asio/write.hpp>

#include "common/control/client.h"
#include "tests/common/control/loop_fixture.h"
#include "tests/support/held_port.h"

namespace pilotlight::control {
namespace {

using namespace std::chrono_literals;

class ServerTest : public test::LoopTest {
 protected:
  void SetUp() override {
    const Result<Endpoint> bound = server_.listen(port_.endpoint());
    ASSERT_TRUE(bound.has_value());
    at_ = *bound;
  }
  void TearDown() override { run(server_.stop()); }

  Task<> answer(const Request& request, Reply& reply) {
    last_ = request;
    if (request.path == "/wait") {
      co_await wait(reply);
    } else if (request.path == "/stream") {
      co_await stream(reply);
    } else if (request.path == "/throw") {
      throw std::runtime_error("a bug");
    } else if (request.path != "/silent") {
      const Result<> sent = co_await reply.send(200, "text/plain", "hello " + request.body);
      static_cast<void>(sent);
    }
  }

  Task<> wait(Reply& reply) {
    const auto timer = clock_.make_timer();
    reply.when_gone([this, &timer = *timer] {
      gone_ = true;
      timer.cancel();
    });
    waiting_ = true;
    co_await timer->wait_until(clock_.now() + 1h);
    waiting_ = false;
  }

  Task<> stream(Reply& reply) {
    Result<> sent = co_await reply.begin(200, "application/json");
    for (int i = 0; sent && i < 3; ++i) {
      std::string piece = "{\"i\":" + std::to_string(i) + "}\n{\"half\":";
      sent = co_await reply.write(std::move(piece));
      if (sent) sent = co_await reply.write("true}\n");
    }
    if (sent) sent = co_await reply.finish();
  }

  Result<Answer> get(std::string target) {
    Ask what;
    what.target = std::move(target);
    return run(ask(executor(), clock_, at_, std::move(what), soon()));
  }

  Task<> hang(bool& failed) {
    Ask what;
    what.target = "/wait";
    const auto got = co_await ask(executor(), clock_, at_, std::move(what), soon());
    failed = !got.has_value();
  }

  /// Sends `bytes` on a connection of their own, returns all that comes until the server closes.
  Task<std::string> exchange(std::string bytes) {
    asio::basic_stream_socket<asio::ip::tcp, Executor> socket(executor());
    co_await socket.async_connect(at_, use_tuple);
    co_await asio::async_write(socket, asio::buffer(bytes), use_tuple);
    std::string answer;
    std::array<char, 4096> piece{};
    for (;;) {
      const auto [ec, n] = co_await socket.async_read_some(asio::buffer(piece), use_tuple);
      if (ec) break;
      answer.append(piece.data(), n);
    }
    co_return answer;
  }

  test::HeldPort port_;
  Endpoint at_;
  Request last_;
  bool waiting_ = false;
  bool gone_ = false;
  Server server_{executor(), clock_,
                 [this](const Request& request, Reply& reply) { return answer(request, reply); }};
};

TEST_F(ServerTest, RequestArrivesDecodedAndAnswerComesBack) {
  Ask what;
  what.method = "POST";
  what.target = "/a%20b?x=1&y=%2F";
  what.headers["X-Test"] = "Yes";
  what.body = "world";
  const auto got = run(ask(executor(), clock_, at_, std::move(what), soon()));
  ASSERT_TRUE(got.has_value()) << got.error().message();
  EXPECT_EQ(got->status, 200u);
  EXPECT_EQ(got->body, "hello world");
  EXPECT_EQ(got->headers.at("content-type"), "text/plain");
  EXPECT_EQ(last_.method, "POST");
  EXPECT_EQ(last_.path, "/a b");
  EXPECT_EQ(last_.param("y"), "/");
  EXPECT_EQ(last_.param("absent"), "");
  EXPECT_EQ(last_.header("x-test"), "Yes");
}

TEST_F(ServerTest, HandlerThatThrowsOrSaysNothingIsA500) {
  EXPECT_EQ(get("/throw")->status, 500u);
  EXPECT_EQ(get("/silent")->status, 500u);
}

TEST_F(ServerTest, StreamIsReadLineByLine) {
  LineStream lines(executor(), clock_);
  Ask what;
  what.target = "/stream";
  const auto status = run(lines.open(at_, std::move(what), soon()));
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(*status, 200u);
  std::vector<std::string> got;
  for (;;) {
    const auto line = run(lines.read_line(soon()));
    ASSERT_TRUE(line.has_value()) << line.error().message();
    if (!line->has_value()) break;
    got.push_back(**line);
  }
  const std::vector<std::string> expected = {"{\"i\":0}", "{\"half\":true}",
                                             "{\"i\":1}", "{\"half\":true}",
                                             "{\"i\":2}", "{\"half\":true}"};
  EXPECT_EQ(got, expected);
}

TEST_F(ServerTest, DeadlineOfTheClientIsAnError) {
  Ask what;
  what.target = "/wait";
  const auto got = run(ask(executor(), clock_, at_, std::move(what), clock_.now() + 20ms));
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error(), make_error_code(FlowError::deadline_exceeded));
  run_until([this] { return gone_; });  // the server saw that its client left
  run_until([this] { return !waiting_; });
}

TEST_F(ServerTest, ConnectionServesRequestsOneAfterAnother) {
  const std::string got =
      run(exchange("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n"
                   "Connection: close\r\n\r\n"));
  EXPECT_NE(got.find("hello"), got.rfind("hello")) << got;
  EXPECT_EQ(last_.path, "/2");
}

TEST_F(ServerTest, Http10StreamEndsWithTheConnection) {
  const std::string got = run(exchange("GET /stream HTTP/1.0\r\n\r\n"));
  EXPECT_EQ(got.find("chunked"), std::string::npos);
  EXPECT_TRUE(got.ends_with("{\"half\":true}\n")) << got;
}

TEST_F(ServerTest, UnacceptableRequestsAreToldWhy) {
  EXPECT_TRUE(run(exchange("nonsense\r\n\r\n")).starts_with("HTTP/1.1 400"));
  std::string big = "POST / HTTP/1.1\r\nContent-Length: 4000000\r\n\r\n" + std::string(100000, 'x');
  EXPECT_TRUE(run(exchange(std::move(big))).starts_with("HTTP/1.1 413"));
  std::string long_head = "GET / HTTP/1.1\r\nX: " + std::string(200'000, 'x') + "\r\n\r\n";
  EXPECT_TRUE(run(exchange(std::move(long_head))).starts_with("HTTP/1.1 431"));
}

TEST_F(ServerTest, ConnectionBeyondTheLimitIsToldSo) {
  using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
  std::vector<Socket> held;
  for (int i = 0; i < 256; ++i) {
    held.emplace_back(executor());
    held.back().connect(at_);
  }
  EXPECT_EQ(get("/")->status, 503u);
  held.clear();
  run_until([this] { return get("/")->status == 200; });
}

TEST_F(ServerTest, StopEndsWhatWaits) {
  bool ended = false;
  scope_.spawn(hang(ended));
  run_until([this] { return waiting_; });
  run(server_.stop());
  EXPECT_FALSE(waiting_);
  run_until([&ended] { return ended; });
}

TEST_F(ServerTest, ListenOnATakenPortIsAnError) {
  Server second(executor(), clock_,
                [this](const Request& request, Reply& reply) { return answer(request, reply); });
  EXPECT_EQ(second.listen(at_).error(), asio::error::address_in_use);
}

TEST_F(ServerTest, RefusedConnectIsAnError) {
  run(server_.stop());
  EXPECT_EQ(get("/").error(), asio::error::connection_refused);
}

}  // namespace
}  // namespace pilotlight::control
