#include "common/stats/concurrency_meter.h"

#include <gtest/gtest.h>

namespace pilotlight {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart{100s};

TEST(ConcurrencyMeter, OverlapCountsByItsTime) {
  ConcurrencyMeter meter(kStart);
  const LoadSnapshot begin = meter.snapshot(kStart);
  meter.arrived(kStart, Via::client);
  meter.arrived(kStart + 500ms, Via::client);
  const PeriodStat stat = period_stat(begin, meter.snapshot(kStart + 1s));
  EXPECT_DOUBLE_EQ(stat.average_concurrency, 1.5);
  EXPECT_DOUBLE_EQ(stat.arrivals, 2);
  EXPECT_DOUBLE_EQ(stat.average_proxied_concurrency, 0);
}

TEST(ConcurrencyMeter, TheProxiedPartIsAPartOfTheWhole) {
  ConcurrencyMeter meter(kStart);
  meter.arrived(kStart, Via::activator);
  meter.arrived(kStart, Via::client);
  meter.departed(kStart + 1s, Via::activator);
  const LoadSnapshot load = meter.snapshot(kStart + 2s);
  EXPECT_EQ(load.concurrency_us, 3'000'000U);
  EXPECT_EQ(load.proxied_concurrency_us, 1'000'000U);
  EXPECT_EQ(load.arrivals, 2U);
  EXPECT_EQ(load.proxied_arrivals, 1U);
  EXPECT_EQ(load.in_flight, 1U);
  EXPECT_EQ(load.proxied_in_flight, 0U);
}

TEST(ConcurrencyMeter, TakingASnapshotChangesNothing) {
  ConcurrencyMeter meter(kStart);
  meter.arrived(kStart, Via::client);
  for (int i = 0; i < 10; ++i) static_cast<void>(meter.snapshot(kStart + i * 33ms));
  EXPECT_EQ(meter.snapshot(kStart + 1s).concurrency_us, 1'000'000U);
}

TEST(ConcurrencyMeter, NanosecondsDoNotDrift) {
  ConcurrencyMeter meter(kStart);
  meter.arrived(kStart, Via::client);
  for (int i = 1; i <= 3000; ++i) {  // events at every 333.3 us
    meter.arrived(kStart + i * 333'300ns, Via::client);
    meter.departed(kStart + i * 333'300ns, Via::client);
  }
  EXPECT_EQ(meter.snapshot(kStart + 1s).concurrency_us, 1'000'000U);
}

TEST(ConcurrencyMeter, AnEarlierInstantCountsAsTheLastOne) {
  ConcurrencyMeter meter(kStart);
  meter.arrived(kStart + 1s, Via::client);
  meter.departed(kStart, Via::client);
  EXPECT_EQ(meter.snapshot(kStart + 2s).concurrency_us, 0U);
}

TEST(ConcurrencyMeter, CountsCompletionsAndRefusals) {
  ConcurrencyMeter meter(kStart);
  meter.completed(250ms);
  meter.completed(250ms);
  meter.refused(RefusalCause::deadline);
  const LoadSnapshot load = meter.snapshot(kStart);
  EXPECT_EQ(load.completions, 2U);
  EXPECT_EQ(load.service_time_us, 500'000U);
  EXPECT_EQ(load.refusals[static_cast<std::size_t>(RefusalCause::deadline)], 1U);
}

TEST(ConcurrencyMeter, ShardsAddUp) {
  ConcurrencyMeter a(kStart);
  ConcurrencyMeter b(kStart);
  a.arrived(kStart, Via::client);
  b.arrived(kStart, Via::activator);
  b.refused(RefusalCause::queue_full);
  const LoadSnapshot sum = a.snapshot(kStart + 1s) + b.snapshot(kStart + 2s);
  EXPECT_EQ(sum.concurrency_us, 3'000'000U);
  EXPECT_EQ(sum.in_flight, 2U);
  EXPECT_EQ(sum.refusals[0], 1U);
  EXPECT_EQ(sum.at_us, 102'000'000U);
}

TEST(PeriodStat, APeriodWithoutLengthSaysNothing) {
  const ConcurrencyMeter meter(kStart);
  const LoadSnapshot load = meter.snapshot(kStart);
  EXPECT_EQ(period_stat(load, load).average_concurrency, 0);
}

TEST(ConcurrencyMeterDeathTest, ADepartureWithoutArrivalIsABug) {
  ConcurrencyMeter meter(kStart);
  EXPECT_DEATH(meter.departed(kStart, Via::client), "in_flight_");
}

}  // namespace
}  // namespace pilotlight
