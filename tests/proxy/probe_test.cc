#include "proxy/probe.h"

#include <gtest/gtest.h>

#include "tests/support/held_port.h"
#include "tests/support/loopback.h"

namespace pilotlight::proxy {
namespace {

using namespace std::chrono_literals;

std::string led_to(std::string_view location, bool https = false) {
  const auto to = follow(location, https, "127.0.0.1", 8080, "/a/b?q=1");
  return to ? std::to_string(to->port) + to->path : "elsewhere";
}

TEST(Redirects, AreFollowedOnTheSameHostOnly) {
  EXPECT_EQ(led_to("/ready"), "8080/ready");
  EXPECT_EQ(led_to("ready?x"), "8080/a/ready?x");
  EXPECT_EQ(led_to("?x"), "8080/a/b?x");
  EXPECT_EQ(led_to(""), "8080/a/b?q=1");
  EXPECT_EQ(led_to("/ready#part"), "8080/ready");
  EXPECT_EQ(led_to("http://127.0.0.1:9000/x"), "9000/x");
  EXPECT_EQ(led_to("http://127.0.0.1"), "80/");
  EXPECT_EQ(led_to("//127.0.0.1:81?x"), "81/?x");
  EXPECT_EQ(led_to("http://example.com/"), "elsewhere");
  EXPECT_EQ(led_to("https://127.0.0.1:8080/"), "elsewhere");
  EXPECT_EQ(led_to("https://127.0.0.1/x", true), "443/x");
  EXPECT_EQ(led_to("http://127.0.0.1/x", true), "elsewhere");
  EXPECT_EQ(led_to("http://127.0.0.1:0/"), "elsewhere");
  EXPECT_EQ(led_to("mailto:me"), "elsewhere");
}

/// Real sockets under simulated time: one try against a server that the test plays.
class ProbeTest : public ::testing::Test {
 protected:
  ReadinessProbe probe(ReadinessProbe::Kind kind) {
    ReadinessProbe made;
    made.kind = kind;
    made.address = app_.address();
    made.path = "/v2/health/ready?x=1";
    return made;
  }
  Task<> run(ReadinessProbe probe, Duration timeout) {
    const ProbeTry found = co_await prober_.attempt(probe, shard_.clock.now() + timeout, stop_);
    found_ = found;
  }
  void start(const ReadinessProbe& probe, Duration timeout = 5s) {
    found_.reset();
    shard_.scope.spawn(run(probe, timeout));
  }
  [[nodiscard]] bool ended() {
    return shard_.run_until([this] { return found_.has_value(); });
  }
  /// Whether one HTTP try against this answer succeeds.
  bool ok_with(std::string_view answer) {
    app_.automatic = answer;
    start(probe(ReadinessProbe::Kind::http));
    EXPECT_TRUE(ended());
    return found_ && found_->ok;
  }

  test::LoopbackShard shard_{test::LoopbackShard::Time::simulated};
  test::FakeServer app_{shard_};
  SocketProber prober_{shard_.parts};
  Interruption stop_;
  std::optional<ProbeTry> found_;
};

TEST_F(ProbeTest, TcpIsAConnect) {
  start(probe(ReadinessProbe::Kind::tcp));
  ASSERT_TRUE(ended());
  EXPECT_TRUE(found_->ok && found_->connected);
  const test::HeldPort closed;
  ReadinessProbe nobody = probe(ReadinessProbe::Kind::tcp);
  nobody.address = closed.endpoint();
  start(nobody);
  ASSERT_TRUE(ended());
  EXPECT_FALSE(found_->ok || found_->connected);
}

TEST_F(ProbeTest, HttpSendsWhatKnativesSends) {
  ReadinessProbe asked = probe(ReadinessProbe::Kind::http);
  asked.headers = {{"X-One", "1"}};
  app_.automatic = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  start(asked);
  ASSERT_TRUE(ended());
  EXPECT_TRUE(found_->ok);
  EXPECT_EQ(app_[0].received, "GET /v2/health/ready?x=1 HTTP/1.1\r\nHost: 127.0.0.1:" +
                                  std::to_string(app_.address().port()) +
                                  "\r\nUser-Agent: kube-probe//\r\nX-One: 1\r\n"
                                  "Connection: close\r\n\r\n");
  asked.headers = {{"host", "iris"}, {"User-Agent", "mine"}};
  start(asked);
  ASSERT_TRUE(ended());
  EXPECT_EQ(app_[1].received,
            "GET /v2/health/ready?x=1 HTTP/1.1\r\nhost: iris\r\nUser-Agent: mine\r\n"
            "Connection: close\r\n\r\n");
}

TEST_F(ProbeTest, AnyStatusFrom200To399IsASuccess) {
  EXPECT_TRUE(ok_with("HTTP/1.1 200 OK\r\n\r\n"));
  EXPECT_TRUE(ok_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 Yes\r\n\r\n"));
  EXPECT_TRUE(ok_with("HTTP/1.1 399 Odd\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_TRUE(ok_with("HTTP/1.1 302 Found\r\nLocation: http://example.com/\r\n\r\n"));
  EXPECT_FALSE(ok_with("HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_FALSE(ok_with("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_FALSE(ok_with("nonsense\r\n\r\n"));
}

TEST_F(ProbeTest, ARedirectIsFollowedToItsEndWithTheProbesHeaders) {
  start(probe(ReadinessProbe::Kind::http));
  ASSERT_TRUE(shard_.run_until([this] { return app_.requests() == 1; }));
  app_.send(0, "HTTP/1.1 302 Found\r\nlocation:  /other \r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(shard_.run_until([this] { return app_.requests() == 2; }));
  EXPECT_TRUE(app_[1].received.starts_with("GET /other HTTP/1.1\r\n"));
  app_.send(1, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(ended());
  EXPECT_FALSE(found_->ok) << "the last answer counts";
}

TEST_F(ProbeTest, ACircleOfRedirectsIsAFailureAfterTen) {
  EXPECT_FALSE(ok_with("HTTP/1.1 307 Round\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(app_.accepted(), 11U);
}

TEST_F(ProbeTest, OneThatHangsEndsAtItsDeadlineOrWhenItIsStopped) {
  start(probe(ReadinessProbe::Kind::http), 20ms);
  ASSERT_TRUE(shard_.run_until([this] { return app_.requests() == 1; }));
  shard_.sim.advance(20ms);
  ASSERT_TRUE(ended());
  EXPECT_TRUE(found_->connected);
  EXPECT_FALSE(found_->ok);
  start(probe(ReadinessProbe::Kind::http), 1h);
  ASSERT_TRUE(shard_.run_until([this] { return app_.requests() == 2; }));
  stop_.raise(Cause::stopped);
  ASSERT_TRUE(ended());
  EXPECT_FALSE(found_->ok);
}

}  // namespace
}  // namespace pilotlight::proxy
