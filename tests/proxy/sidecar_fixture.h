#pragma once

#include <deque>
#include <functional>

#include <gtest/gtest.h>

#include "proxy/pipeline.h"
#include "tests/support/loopback.h"

namespace pilotlight::proxy {

inline constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
inline constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A sidecar's data path on a real socket, in front of a server that the test plays: what every
/// test of it needs. Who derives calls open(), and close() at its end, after which nothing is in
/// flight and every permit is back.
class SidecarFixture : public ::testing::Test,
                       protected ReadinessListener,
                       protected TrafficListener {
 protected:
  using Time = test::LoopbackShard::Time;

  explicit SidecarFixture(std::uint32_t limit, Time time = Time::real)
      : shard_(time), admission_(shard_.clock, {.limit = limit, .queue_depth = 2}) {}

  void open(const Pipeline::Params& params) {
    pipeline_.emplace(parts(app_pool_), params);
    ASSERT_TRUE(front_.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0), false));
    shard_.scope.spawn(front_.run());
  }
  void close() {
    clients_.clear();
    front_.close();
    readiness_.stop();
    pipeline_->stop();
    EXPECT_TRUE(until([this] {
      pass_time();
      return pipeline_->connections() == 0;
    }));
    expect_nothing_left();
    app_pool_.clear();
  }
  void expect_nothing_left() const {
    EXPECT_EQ(pipeline_->in_flight(), 0u);
    EXPECT_EQ(admission_.in_flight(), 0u);
    EXPECT_EQ(admission_.waiting(), 0u);
    EXPECT_EQ(meter_.in_flight(), 0u);
  }

  /// For a pipeline beside the one that open() makes.
  [[nodiscard]] Pipeline::Parts parts(http::UpstreamPool& app) {
    return {shard_.parts, admission_, app, meter_, readiness_, fence_, *this, observer_};
  }
  test::RawClient& client() { return clients_.emplace_back(shard_, front_.local()); }
  [[nodiscard]] bool until(const std::function<bool()>& done) { return shard_.run_until(done); }
  /// Lets simulated time go on while something is waited for; real time does so by itself.
  virtual void pass_time() {}

  /// What a new connection is served on.
  virtual Transport accepted(TcpStream stream) { return Transport(std::move(stream)); }

  void app_ready(Duration, Duration) override {}
  void app_lost() override { ++lost_; }
  void became_busy() override { busy_.push_back(meter_.snapshot(shard_.clock.now()).arrivals); }
  void became_idle() override {}
  void became_quiet() override { ++quiets_; }

  test::LoopbackShard shard_;
  test::FakeServer app_{shard_};
  DrainFence fence_{DrainFence::Params()};
  Admission admission_;
  http::UpstreamPool app_pool_{shard_.parts, {.address = app_.address(), .idle_limit = 8}};
  ConcurrencyMeter meter_{shard_.clock.now()};
  SocketProber prober_{shard_.parts};
  Readiness readiness_{shard_.clock, shard_.scope, prober_, {}, *this};
  Observer observer_{nullptr};
  std::optional<Pipeline> pipeline_;
  Listener front_{shard_.loop.get_executor(), shard_.clock, [this](TcpStream stream) {
                    shard_.scope.spawn(pipeline_->serve(accepted(std::move(stream))));
                  }};
  std::deque<test::RawClient> clients_;
  int lost_ = 0;
  int quiets_ = 0;
  std::vector<std::uint64_t> busy_;  // the arrivals before each time that traffic began
};

}  // namespace pilotlight::proxy
