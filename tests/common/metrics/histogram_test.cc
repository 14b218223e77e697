#include "common/metrics/histogram.h"

#include <gtest/gtest.h>

namespace pilotlight {
namespace {

constexpr std::array<std::uint64_t, 2> kBounds = {10, 20};

TEST(HistogramCells, ABoundBelongsToItsBucketAndWhatIsAboveHasOneOfItsOwn) {
  HistogramCells cells(kBounds);
  for (const std::uint64_t value : {0, 10, 11, 20, 21, 1000}) cells.observe(value);
  const HistogramSample sample = cells.sample(1, Labels());
  EXPECT_EQ(sample.counts, (std::vector<std::uint64_t>{2, 2, 2}));
  EXPECT_EQ(sample.sum, 1062);
}

TEST(HistogramCells, TheScrapeSeesTheUnitItAsksFor) {
  HistogramCells cells(kBounds);
  cells.observe(15);
  const HistogramSample sample = cells.sample(10, Labels{{"a", "b"}});
  EXPECT_EQ(sample.bounds, (std::vector<double>{1, 2}));
  EXPECT_EQ(sample.sum, 1.5);
  EXPECT_EQ(sample.labels, (Labels{{"a", "b"}}));
}

}  // namespace
}  // namespace pilotlight
