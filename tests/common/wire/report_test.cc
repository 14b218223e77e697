#include "common/wire/report.h"

#include <gtest/gtest.h>

#include "common/wire/codec.h"

namespace pilotlight::wire {
namespace {

/// `n` seconds with one request in each, told up to second `until`.
std::vector<Frame> replay(std::int64_t n, std::int64_t until) {
  LoadHistory history;
  LoadSnapshot load;
  load.at_us = static_cast<std::uint64_t>(until - n) * 1'000'000;
  history.record(load, 0);
  for (std::int64_t i = 0; i < n; ++i) {
    load.at_us += 1'000'000;
    load.concurrency_us += 1'000'000;
    ++load.arrivals;
    history.record(load, 0);
  }
  load.at_us = static_cast<std::uint64_t>(until) * 1'000'000 + 400'000;
  history.record(load, 0);
  return make_history(make_stats({"default", "iris"}, 7, load, {}, 0), history);
}

TEST(MakeHistory, EveryBucketHasItsAge) {
  const auto frames = replay(3, 5000);
  ASSERT_EQ(frames.size(), 1U);
  const auto& history = std::get<History>(frames.front());
  ASSERT_EQ(history.buckets.size(), 3U);
  EXPECT_EQ(history.buckets.front().age, 3U);
  EXPECT_EQ(history.buckets.back().age, 1U) << "second 4999, told in second 5000";
  EXPECT_EQ(history.buckets.back().concurrency_us, 1'000'000U);
  EXPECT_EQ(history.buckets.back().arrivals_u, 1'000'000U);
  EXPECT_EQ(history.until.load.at_us, 5'000'400'000U);
  EXPECT_EQ(history.until.epoch, 7U);
}

TEST(MakeHistory, WithoutLoadItIsTheMarkAlone) {
  const auto frames = replay(0, 5000);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_TRUE(std::get<History>(frames.front()).buckets.empty());
}

TEST(MakeHistory, IsCutIntoFramesThatFit) {
  const auto frames = replay(2000, 5000);
  ASSERT_EQ(frames.size(), 3U);
  std::size_t buckets = 0;
  for (const Frame& frame : frames) {
    buckets += std::get<History>(frame).buckets.size();
    const auto bytes = encode(frame);
    ASSERT_TRUE(bytes.has_value());
    EXPECT_LT(bytes->size(), 12'000U);
  }
  EXPECT_EQ(buckets, 599U) << "600 with the second that has just begun";
}

}  // namespace
}  // namespace pilotlight::wire
