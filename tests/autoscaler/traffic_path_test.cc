#include "autoscaler/traffic_path.h"

#include <limits>
#include <utility>

#include <gtest/gtest.h>

namespace pilotlight::autoscaler {
namespace {

// Knative's own cases: total 100, capacity 100.
TEST(TrafficPath, ActivatorsAreKnatives) {
  EXPECT_EQ(activators_wanted(0, 100, 200, 100), 2);
  EXPECT_EQ(activators_wanted(1, 100, 200, 100), 3);
  EXPECT_EQ(activators_wanted(100, 100, 0, 100), 2);
  EXPECT_EQ(activators_wanted(5, 100, -1, 100), 5);
  EXPECT_EQ(activators_wanted(15, 100, 200, 100), 17);
}

TEST(TrafficPath, ActivatorsAreFewWhateverTheNumbersAre) {
  EXPECT_EQ(activators_wanted(1, std::numeric_limits<double>::quiet_NaN(), -1, 100), 2);
  EXPECT_EQ(activators_wanted(std::numeric_limits<std::int32_t>::max(), 1e300, 1e300, 1),
            1'000'000);
}

// Knative's own cases.
TEST(TrafficPath, SampleSizesAreKnatives) {
  const std::pair<int, int> rows[] = {{0, 0},  {1, 1},    {2, 2},    {5, 4},
                                      {10, 7}, {100, 14}, {1000, 16}};
  for (const auto& [replicas, size] : rows) EXPECT_EQ(sample_size(replicas), size) << replicas;
}

}  // namespace
}  // namespace pilotlight::autoscaler
