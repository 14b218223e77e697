#include "common/stats/load_history.h"

#include <vector>

#include <gtest/gtest.h>

#include "common/stats/growth.h"

namespace pilotlight {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart{1000s};

class LoadHistoryTest : public ::testing::Test {
 protected:
  void record(Duration at, std::uint64_t wait_us = 0) {
    history.record(meter.snapshot(kStart + at), wait_us);
  }
  [[nodiscard]] std::vector<std::int64_t> seconds() const {
    std::vector<std::int64_t> out;
    for (const LoadSecond& each : history.seconds()) out.push_back(each.second);
    return out;
  }

  ConcurrencyMeter meter{kStart};
  LoadHistory history;
};

TEST_F(LoadHistoryTest, TheFirstSnapshotIsOnlyAMark) {
  meter.arrived(kStart, Via::client);
  record(5s);
  EXPECT_TRUE(history.seconds().empty());
  record(5500ms);
  ASSERT_EQ(history.seconds().size(), 1U);
  EXPECT_EQ(history.seconds().front().concurrency_us, 500'000U);
}

TEST_F(LoadHistoryTest, ASecondHasWhatGrewInIt) {
  record(0s);
  meter.arrived(kStart + 250ms, Via::client);
  meter.arrived(kStart + 250ms, Via::activator);
  for (Duration at = 250ms; at <= 2250ms; at += 250ms) record(at, at == 1500ms ? 9000 : 10);
  ASSERT_EQ(seconds(), (std::vector<std::int64_t>{1000, 1001, 1002}));
  const LoadSecond& first = history.seconds()[0];
  EXPECT_EQ(first.concurrency_us, 1'500'000U);
  EXPECT_EQ(first.proxied_concurrency_us, 750'000U);
  EXPECT_EQ(first.arrivals_u, 2'000'000U);
  EXPECT_EQ(first.proxied_arrivals_u, 1'000'000U);
  EXPECT_EQ(first.longest_wait_us, 10U);
  EXPECT_EQ(history.seconds()[1].longest_wait_us, 9000U);
  EXPECT_EQ(history.seconds()[2].concurrency_us, 500'000U) << "it is not over";
}

TEST_F(LoadHistoryTest, AReportOverSeveralSecondsIsSpreadAndAddsUp) {
  record(300ms);
  for (int i = 0; i < 7; ++i) meter.arrived(kStart + 300ms, Via::client);
  record(3800ms);
  std::uint64_t concurrency_us = 0;
  std::uint64_t arrivals_u = 0;
  for (const LoadSecond& each : history.seconds()) {
    concurrency_us += each.concurrency_us;
    arrivals_u += each.arrivals_u;
  }
  EXPECT_EQ(concurrency_us, 7 * 3'500'000U);
  EXPECT_EQ(arrivals_u, 7'000'000U);
  EXPECT_EQ(history.seconds()[1].arrivals_u, 2'000'000U) << "a second is two sevenths of it";
}

TEST_F(LoadHistoryTest, SecondsWithoutLoadCostNothing) {
  for (Duration at{}; at <= 100s; at += 250ms) record(at);
  EXPECT_TRUE(history.seconds().empty());
  meter.arrived(kStart + 100s, Via::client);
  record(101s);
  meter.departed(kStart + 101s, Via::client);
  record(200s);
  EXPECT_EQ(history.seconds().size(), 1U);
}

TEST_F(LoadHistoryTest, IsBoundedToSixHundredSeconds) {
  record(0s);
  meter.arrived(kStart, Via::client);
  for (Duration at = 250ms; at <= 2000s; at += 250ms) record(at);
  EXPECT_EQ(history.seconds().size(), 599U) << "600 with the second that has just begun";
  EXPECT_EQ(history.seconds().back().second, 2999);
  meter.departed(kStart + 2000s, Via::client);
  record(2600s);
  EXPECT_TRUE(history.seconds().empty());
}

TEST_F(LoadHistoryTest, ALongSilenceIsNotSpreadBeyondTheBound) {
  record(0s);
  meter.arrived(kStart, Via::client);
  record(5000s);
  EXPECT_LE(history.seconds().size(), 600U);
}

TEST_F(LoadHistoryTest, CountersThatGoBackAreANewMark) {
  record(0s);
  meter.arrived(kStart, Via::client);
  record(2s);
  history.record(ConcurrencyMeter(kStart + 3s).snapshot(kStart + 3s), 0);
  EXPECT_EQ(seconds(), (std::vector<std::int64_t>{1000, 1001}));
}

TEST(SecondPieces, AddUpWhateverTheCutsAndSizes) {
  for (const std::uint64_t amount : {0ULL, 1ULL, 999'999ULL, 1ULL << 62U}) {
    for (const std::int64_t from : {-1'500'000LL, -1LL, 0LL, 999'999LL}) {
      for (const std::int64_t length : {0LL, 1LL, 999'999LL, 3'333'333LL}) {
        std::uint64_t sum = 0;
        for_each_second(from, from + length,
                        [&](const SecondPiece& piece) { sum += piece.part_of(amount); });
        EXPECT_EQ(sum, amount) << from << " " << length;
      }
    }
  }
}

}  // namespace
}  // namespace pilotlight
