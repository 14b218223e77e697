#include "proxy/reporter.h"

#include <stdexcept>

#include <gtest/gtest.h>

#include "common/wire/server.h"
#include "tests/support/loopback.h"

namespace pilotlight::proxy {
namespace {

using namespace std::chrono_literals;

/// A reporter and the autoscaler it talks to, played by the test.
class ReporterTest : public ::testing::Test,
                     protected wire::ServerListener,
                     protected FenceListener {
 protected:
  ReporterTest() {
    options_.epoch = 9;
    options_.report_period_ms = 50;
    start_server();
    where_ = *server_->listen({asio::ip::address_v4::loopback(), 0});
    reporter_.connect(shard_.loop.get_executor(), where_, random_);
    shard_.scope.spawn(reporter_.client()->run());
    shard_.scope.spawn(reporter_.run());
  }
  ~ReporterTest() override {
    reporter_.stop();
    stop_server();
    EXPECT_TRUE(shard_.run_until([&] { return shard_.scope.size() <= background_; }));
  }

  void start_server() {
    wire::ServerListener& listener = *this;
    server_.emplace(shard_.loop.get_executor(), shard_.clock, options_, listener);
  }
  static Task<> stop(wire::Server& server, bool& stopped) {
    co_await server.stop();
    stopped = true;
  }
  void stop_server() {
    bool stopped = false;
    shard_.scope.spawn(stop(*server_, stopped));
    EXPECT_TRUE(shard_.run_until([&] { return stopped; }));
  }

  void joined(wire::Peer&) override {}
  void received(wire::Peer&, const wire::Frame& frame) override { frames_.push_back(frame); }
  void left(wire::Peer&, std::string_view, bool) override {}
  void fence_changed() override {}

  template <class Frame>
  [[nodiscard]] std::size_t count() const {
    std::size_t total = 0;
    for (const wire::Frame& frame : frames_) total += std::holds_alternative<Frame>(frame) ? 1 : 0;
    return total;
  }
  template <class Frame>
  [[nodiscard]] const Frame& first() const {
    for (const wire::Frame& frame : frames_) {
      if (const auto* found = std::get_if<Frame>(&frame)) return *found;
    }
    throw std::out_of_range("no such frame");
  }

  test::LoopbackShard shard_;
  const std::size_t background_ = shard_.scope.size();
  std::mt19937_64 random_{7};
  ConcurrencyMeter meter_{shard_.clock.now()};
  Admission admission_{shard_.clock, Admission::Params()};
  DrainFence fence_{DrainFence::Params()};
  wire::ServerOptions options_;
  std::optional<wire::Server> server_;
  tcp::endpoint where_;
  std::vector<wire::Frame> frames_;
  Reporter reporter_{shard_.clock, {{"default", "iris-00001"}, "r1", "127.0.0.1:8012", "", 4},
                     meter_,       admission_,
                     fence_,       *this};
};

TEST_F(ReporterTest, AnAutoscalerThatIsNewIsToldTheHistoryBeforeAnyReport) {
  ASSERT_TRUE(shard_.run_until([&] { return count<wire::HistoryEnd>() == 1; }));
  EXPECT_TRUE(first<wire::History>().buckets.empty()) << "there was no load before";
  meter_.arrived(shard_.clock.now(), Via::client);
  ASSERT_TRUE(shard_.run_until([&] { return count<wire::Stats>() >= 4; }));
  EXPECT_EQ(count<wire::HistoryEnd>(), 1U) << "this one knows";

  stop_server();
  frames_.clear();
  options_.epoch = 10;
  start_server();
  ASSERT_TRUE(server_->listen(where_).has_value());
  ASSERT_TRUE(shard_.run_until([&] { return count<wire::HistoryEnd>() == 1; }));
  const wire::History& history = first<wire::History>();
  ASSERT_FALSE(history.buckets.empty());
  EXPECT_EQ(history.until.revision.revision, "iris-00001");
  EXPECT_EQ(history.until.load.arrivals, 1U);
  EXPECT_GT(history.buckets.back().concurrency_us, 0U);
  meter_.departed(shard_.clock.now(), Via::client);
}

}  // namespace
}  // namespace pilotlight::proxy
