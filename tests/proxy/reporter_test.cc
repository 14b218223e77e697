#include "proxy/reporter.h"

#include <stdexcept>

#include <gtest/gtest.h>

#include "common/wire/server.h"
#include "tests/support/held_port.h"
#include "tests/support/loopback.h"

namespace pilotlight::proxy {
namespace {

using namespace std::chrono_literals;

/// A reporter and the autoscaler it talks to, played by the test.
class ReporterTest : public ::testing::Test,
                     protected wire::ServerListener,
                     protected FenceListener {
 protected:
  using Time = test::LoopbackShard::Time;

  explicit ReporterTest(Time time = Time::real, std::uint32_t period_ms = 50) : shard_(time) {
    options_.epoch = 9;
    options_.report_period_ms = period_ms;
    start_server();
    EXPECT_TRUE(server_->listen(port_.endpoint()).has_value());
    reporter_.connect(shard_.loop.get_executor(), port_.endpoint(), random_);
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
  test::HeldPort port_;
  std::vector<wire::Frame> frames_;
  Reporter reporter_{shard_.clock, {{"default", "iris-00001"}, "r1", "127.0.0.1:8012", "", 4},
                     meter_,       admission_,
                     fence_,       *this};
};

/// The same in simulated time, with the autoscaler's period, once the first report is there.
class ReporterRestTest : public ReporterTest {
 protected:
  ReporterRestTest() : ReporterTest(Time::simulated, 250) {}
  void SetUp() override {
    ASSERT_TRUE(shard_.run_until([this] { return count<wire::Stats>() > 0; }));
    static_cast<void>(reports_in(1900ms));  // nothing new in two of them: it rests
  }

  /// How many reports that much time brings.
  [[nodiscard]] std::size_t reports_in(Duration time) {
    const std::size_t before = count<wire::Stats>();
    for (Duration passed{}; passed < time; passed += 50ms) shard_.sim.advance(50ms);
    return count<wire::Stats>() - before;
  }
  void arrive() {
    reporter_.rest_ends();
    meter_.arrived(shard_.clock.now(), Via::client);
  }
  void depart() { meter_.departed(shard_.clock.now(), Via::client); }
};

TEST_F(ReporterRestTest, WithoutLoadItReportsOnceASecond) {
  EXPECT_EQ(reports_in(10s), 10U);
  arrive();
  EXPECT_EQ(reports_in(10s), 41U) << "what was until then, and one each period while it runs";
  depart();
  arrive();
  depart();
  EXPECT_EQ(reports_in(1s), 2U) << "what is new, and that there is nothing new; then it rests";
  EXPECT_EQ(reports_in(10s), 10U);
}

TEST_F(ReporterRestTest, LoadThatEndsARestIsNotSpreadOverIt) {
  static_cast<void>(reports_in(600ms));
  frames_.clear();
  const auto now_us = [this] { return meter_.snapshot(shard_.clock.now()).at_us; };
  const std::uint64_t arrived_us = now_us();
  arrive();
  shard_.sim.settle();
  ASSERT_EQ(count<wire::Stats>(), 1U);
  EXPECT_EQ(first<wire::Stats>().load.at_us, arrived_us);
  EXPECT_EQ(first<wire::Stats>().load.arrivals, 0U) << "the rest ends before the load begins";

  frames_.clear();
  EXPECT_EQ(reports_in(250ms), 1U);
  EXPECT_EQ(first<wire::Stats>().load.arrivals, 1U);
  EXPECT_EQ(first<wire::Stats>().load.concurrency_us, first<wire::Stats>().load.at_us - arrived_us);
  arrive();
  shard_.sim.settle();
  EXPECT_EQ(count<wire::Stats>(), 1U) << "no rest, no report";
  depart();
  depart();
}

TEST_F(ReporterRestTest, ReadyTellsForHowLongItIsTrue) {
  frames_.clear();
  reporter_.app_ready(1s, 2s);
  shard_.sim.settle();
  ASSERT_TRUE(shard_.run_until([this] { return count<wire::Ready>() == 1; }));
  EXPECT_EQ(first<wire::Ready>().ready_us, 2'000'000U);
  EXPECT_EQ(first<wire::Ready>().told_us, 0U);
  stop_server();
  frames_.clear();
  start_server();
  ASSERT_TRUE(server_->listen(port_.endpoint()).has_value());
  const TimePoint since = shard_.clock.now();
  ASSERT_TRUE(shard_.run_until([this] {
    shard_.sim.advance(50ms);
    return count<wire::Ready>() == 1;
  }));
  EXPECT_GT(first<wire::Ready>().told_us, 0U) << "there was nobody to tell before";
  EXPECT_LE(first<wire::Ready>().told_us,
            static_cast<std::uint64_t>((shard_.clock.now() - since) / 1us));
}

TEST_F(ReporterTest, AnAutoscalerThatIsNewIsToldTheHistoryBeforeAnyReport) {
  ASSERT_TRUE(shard_.run_until([&] { return count<wire::HistoryEnd>() == 1; }));
  EXPECT_TRUE(first<wire::History>().buckets.empty()) << "there was no load before";
  meter_.arrived(shard_.clock.now(), Via::client);
  ASSERT_TRUE(shard_.run_until([&] { return count<wire::Stats>() >= 4; }));
  EXPECT_EQ(count<wire::HistoryEnd>(), 1U) << "this one knows";
  const auto refused = [](const wire::Stats& stats) {
    return stats.load.refusals[static_cast<std::size_t>(RefusalCause::deadline)];
  };
  meter_.refused(RefusalCause::deadline);
  const std::size_t before = count<wire::Stats>();
  ASSERT_TRUE(shard_.run_until([&] { return count<wire::Stats>() >= before + 2; }));

  stop_server();
  meter_.refused(RefusalCause::deadline);
  meter_.refused(RefusalCause::deadline);
  frames_.clear();
  options_.epoch = 10;
  start_server();
  ASSERT_TRUE(server_->listen(port_.endpoint()).has_value());
  ASSERT_TRUE(shard_.run_until([&] { return count<wire::HistoryEnd>() == 1; }));
  const wire::History& history = first<wire::History>();
  ASSERT_FALSE(history.buckets.empty());
  EXPECT_EQ(history.until.revision.revision, "iris-00001");
  EXPECT_EQ(history.until.load.arrivals, 1U);
  EXPECT_GT(history.buckets.back().concurrency_us, 0U);
  EXPECT_EQ(refused(history.until), 1U) << "what the one before was told";
  ASSERT_TRUE(shard_.run_until([&] { return count<wire::Stats>() >= 1; }));
  EXPECT_EQ(refused(first<wire::Stats>()), 3U);
  meter_.departed(shard_.clock.now(), Via::client);
}

}  // namespace
}  // namespace pilotlight::proxy
