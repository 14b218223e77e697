#include "proxy/readiness.h"

#include <gtest/gtest.h>

#include "tests/support/loopback.h"

namespace pilotlight::proxy {
namespace {

using namespace std::chrono_literals;

TEST(ProbeInterval, IsOnePercentOfTheTimeWaitedWithinBounds) {
  EXPECT_EQ(probe_interval(0ms), 2ms);
  EXPECT_EQ(probe_interval(200ms), 2ms);
  EXPECT_EQ(probe_interval(1s), 10ms);
  EXPECT_EQ(probe_interval(10s), 100ms);
  EXPECT_EQ(probe_interval(10min), 100ms);
}

class ReadinessTest : public ::testing::Test, protected ReadinessListener {
 protected:
  void app_ready(Duration, Duration) override { ++ready_; }
  void app_lost() override { ++lost_; }

  std::vector<ReadinessProbe> http_probe() {
    ReadinessProbe probe;
    probe.kind = ReadinessProbe::Kind::http;
    probe.address = app_.address();
    probe.path = "/v2/health/ready?x=1";
    return {probe};
  }

  Task<> run(Readiness& readiness) {
    co_await readiness.run();
    ended_ = true;
  }

  Task<> check(Readiness& readiness, Interruption& interruption, int& answer) {
    const bool ok = co_await readiness.check(interruption);
    answer = ok ? 1 : 0;
  }

  test::LoopbackShard shard_;
  test::FakeServer app_{shard_};
  int ready_ = 0;
  int lost_ = 0;
  bool ended_ = false;
};

TEST_F(ReadinessTest, ProbesUntilTheAppSaysYes) {
  app_.automatic = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n";
  Readiness readiness(shard_.parts, http_probe(), *this);
  shard_.scope.spawn(run(readiness));
  ASSERT_TRUE(shard_.run_until([this] { return app_.requests() >= 3; }));
  EXPECT_EQ(ready_, 0);
  EXPECT_EQ(app_[0].received.substr(0, 35), "GET /v2/health/ready?x=1 HTTP/1.1\r\n");
  app_.automatic = "HTTP/1.1 204 Yes\r\n\r\n";
  ASSERT_TRUE(shard_.run_until([this] { return ready_ == 1; }));
  EXPECT_TRUE(readiness.ready());

  readiness.lost();
  EXPECT_EQ(lost_, 1);
  ASSERT_TRUE(shard_.run_until([this] { return ready_ == 2; })) << "a lost app is probed again";
  readiness.stop();
  ASSERT_TRUE(shard_.run_until([&] { return ended_; }));
}

TEST_F(ReadinessTest, ChecksAtTheSameTimeShareOneProbe) {
  Readiness readiness(shard_.parts, http_probe(), *this);
  Interruption none;
  Interruption gone;
  int first = -1;
  int second = -1;
  int third = -1;
  shard_.scope.spawn(check(readiness, none, first));
  shard_.scope.spawn(check(readiness, none, second));
  shard_.scope.spawn(check(readiness, gone, third));
  ASSERT_TRUE(shard_.run_until([this] { return app_.requests() == 1; }));
  gone.raise(Cause::left);
  ASSERT_TRUE(shard_.run_until([&] { return third == 0; })) << "who leaves does not wait";
  app_.send(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(shard_.run_until([&] { return first == 1 && second == 1; }));
  EXPECT_EQ(app_.accepted(), 1u);
}

}  // namespace
}  // namespace pilotlight::proxy
