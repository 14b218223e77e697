#include "controller/selection.h"

#include <gtest/gtest.h>

namespace pilotlight::controller {
namespace {

using kube::Json;

const Key kFlower("team", "flower");
const Key kIris("team", "iris");

class SelectionTest : public testing::Test {
 protected:
  SelectionTest() { selection.set_labels(kIris, {{"app", "iris"}, {"tier", "web"}}); }

  bool selects(const Json& selector) {
    selection.set_selector(kFlower, selector);
    const bool there = selection.deployments_of(kFlower) == std::set<Key>{kIris};
    EXPECT_EQ(selection.services_of(kIris) == std::set<Key>{kFlower}, there) << "both sides agree";
    return there;
  }
  Selection selection;
};

TEST_F(SelectionTest, EveryLabelOfASelectorHasToBeThere) {
  EXPECT_TRUE(selects({{"app", "iris"}}));
  EXPECT_TRUE(selects({{"app", "iris"}, {"tier", "web"}}));
  EXPECT_FALSE(selects({{"app", "iris"}, {"tier", "db"}}));
  EXPECT_FALSE(selects({{"app", "iris"}, {"zone", "a"}}));
}

TEST_F(SelectionTest, WhatIsNoSelectorSelectsNothing) {
  for (const char* text : {"null", "{}", "[]", "7", R"({"app":7})", R"({"app":"iris","tier":7})"}) {
    EXPECT_FALSE(selects(Json::parse(text))) << text;
  }
}

TEST_F(SelectionTest, OnlyInItsNamespace) {
  const Key elsewhere("other", "flower");
  selection.set_selector(elsewhere, {{"app", "iris"}});
  EXPECT_TRUE(selection.deployments_of(elsewhere).empty());
  EXPECT_TRUE(selection.services_of(kIris).empty());
}

TEST_F(SelectionTest, WhatIsGoneIsForgotten) {
  ASSERT_TRUE(selects({{"app", "iris"}}));
  EXPECT_FALSE(selects(Json()));
  ASSERT_TRUE(selects({{"app", "iris"}}));
  selection.set_labels(kIris, Json());
  EXPECT_FALSE(selects({{"app", "iris"}}));
}

TEST_F(SelectionTest, AQuestionCostsWhatSharesTheRarestLabel) {
  for (int i = 0; i < 1000; ++i) {
    const std::string name = "n" + std::to_string(i);
    const Json labels = {{"a-team", "red"}, {"name", name}, {"zone", "a"}};
    selection.set_labels(Key("team", name), labels);
    selection.set_selector(Key("team", name), labels);
  }
  const Key one("team", "n700");
  EXPECT_EQ(selection.services_of(one), std::set<Key>{one});
  EXPECT_EQ(selection.deployments_of(one), std::set<Key>{one});
  EXPECT_LE(selection.compared(), 5U) << "the first ones are filed under what all share";
}

}  // namespace
}  // namespace pilotlight::controller
