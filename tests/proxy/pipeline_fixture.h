#pragma once

#include <deque>

#include <gtest/gtest.h>

#include "proxy/pipeline.h"
#include "tests/support/loopback.h"

namespace pilotlight::proxy {

inline constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
inline constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
inline constexpr std::string_view kHop = "GET / HTTP/1.1\r\nHost: a\r\nPilotlight-Hop: 7\r\n\r\n";

/// A sidecar's pipeline on a real socket, in front of a server that the test plays. Every test ends
/// with nothing in flight and every permit back.
class PipelineTest : public ::testing::Test,
                     protected ReadinessListener,
                     protected TrafficListener {
 protected:
  static constexpr std::uint32_t kLimit = 2;

  void SetUp() override {
    ASSERT_TRUE(front_.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0), false));
    shard_.scope.spawn(front_.run());
    shard_.scope.spawn(readiness_.run());
    ASSERT_TRUE(until([this] { return readiness_.ready(); }));
  }
  void TearDown() override {
    clients_.clear();
    front_.close();
    readiness_.stop();
    pipeline_.stop();
    EXPECT_TRUE(until([this] { return pipeline_.connections() == 0; }));
    EXPECT_EQ(pipeline_.in_flight(), 0u);
    EXPECT_EQ(admission_.in_flight(), 0u);
    EXPECT_EQ(admission_.waiting(), 0u);
    EXPECT_EQ(meter_.in_flight(), 0u);
    app_pool_.clear();
  }

  void app_ready(Duration, Duration) override {}
  void app_lost() override { ++lost_; }
  void became_idle() override {}

  test::RawClient& client() { return clients_.emplace_back(shard_, front_.local()); }
  /// Requests that have ended so.
  [[nodiscard]] std::uint64_t ended(Outcome outcome) const {
    return observer_.cells().requests[static_cast<std::size_t>(outcome)].read();
  }
  [[nodiscard]] bool until(const std::function<bool()>& done) { return shard_.run_until(done); }

  Pipeline::Params params() {
    Pipeline::Params params;
    params.clocks.total = std::chrono::seconds(5);
    return params;
  }

  test::LoopbackShard shard_;
  test::FakeServer app_{shard_};
  DrainFence fence_{DrainFence::Params()};
  Admission admission_{shard_.clock, {.limit = kLimit, .queue_depth = 2}};
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
  std::deque<test::RawClient> clients_;
  int lost_ = 0;
};

}  // namespace pilotlight::proxy
