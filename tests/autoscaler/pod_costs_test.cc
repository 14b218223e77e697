#include "autoscaler/pod_costs.h"

#include <gtest/gtest.h>

namespace pilotlight::autoscaler {
namespace {

using Costs = std::vector<PodCost>;

constexpr std::int32_t kFirst = PodCosts::kGoesFirst;

PodView pod(const std::string& name, std::int32_t cost) {
  PodView view;
  view.name_space = "team";
  view.name = name;
  view.deletion_cost = cost;
  return view;
}

Costs changes(const PodCosts& costs, std::vector<ReplicaLoad> ready, std::int32_t to) {
  return costs.changes("team", std::move(ready), to);
}

TEST(PodCosts, TheOnesWithTheLeastToDoGoFirst) {
  const PodCosts costs;
  EXPECT_EQ(changes(costs, {{"a", 3}, {"b", 0}, {"c", 2}, {"d", 1}}, 2),
            (Costs{{"b", kFirst}, {"d", kFirst}}));
}

TEST(PodCosts, WhenAllGoOrNobodyHasToNothingIsWritten) {
  const PodCosts costs;
  EXPECT_EQ(changes(costs, {{"a", 3}, {"b", 0}}, 0), Costs{});
  EXPECT_EQ(changes(costs, {{"a", 3}, {"b", 0}}, 2), Costs{}) << "one that is not ready goes";
  EXPECT_EQ(changes(costs, {{"a", 3}}, 2), Costs{});
}

TEST(PodCosts, OnlyWhatChangesIsWritten) {
  PodCosts costs;
  costs.seen(pod("b", kFirst));
  EXPECT_EQ(changes(costs, {{"a", 3}, {"b", 0}, {"c", 2}}, 2), Costs{});
  EXPECT_EQ(changes(costs, {{"a", 0}, {"b", 0}, {"c", 0}}, 2), Costs{}) << "it may as well go";
}

TEST(PodCosts, OneThatWasToGoFirstAndHasWorkNowIsNotAnyMore) {
  PodCosts costs;
  costs.seen(pod("b", kFirst));
  EXPECT_EQ(changes(costs, {{"a", 0}, {"b", 5}, {"c", 2}}, 2), (Costs{{"a", kFirst}, {"b", 0}}));
}

TEST(PodCosts, WhatSomebodyElseHasSetStays) {
  PodCosts costs;
  costs.seen(pod("a", 50));
  EXPECT_EQ(changes(costs, {{"a", 0}, {"b", 5}}, 1), Costs{});
}

TEST(PodCosts, APodThatIsGoneIsForgotten) {
  PodCosts costs;
  costs.seen(pod("a", kFirst));
  costs.gone(pod("a", kFirst));
  EXPECT_EQ(changes(costs, {{"a", 0}, {"b", 5}}, 1), (Costs{{"a", kFirst}}));
}

TEST(PodCosts, NeverMoreThanThirtyTwoAtOnce) {
  const PodCosts costs;
  std::vector<ReplicaLoad> ready;
  for (int i = 0; i < 100; ++i) ready.push_back({"p" + std::to_string(i), 0});
  EXPECT_EQ(changes(costs, std::move(ready), 1).size(), PodCosts::kMostAtOnce);
}

}  // namespace
}  // namespace pilotlight::autoscaler
