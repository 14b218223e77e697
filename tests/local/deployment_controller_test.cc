#include "local/deployment_controller.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace pilotlight::local {
namespace {

using Names = std::vector<std::string>;

TEST(ChooseToEnd, UnreadyOnesFirstThenTheYoungest) {
  const std::vector<PodRank> pods{{"old-ready", true, 1},
                                  {"old-unready", false, 2},
                                  {"young-ready", true, 3},
                                  {"young-unready", false, 4}};
  EXPECT_EQ(choose_to_end(pods, 0), Names{});
  EXPECT_EQ(choose_to_end(pods, 1), Names{"young-unready"});
  EXPECT_EQ(choose_to_end(pods, 3), (Names{"young-unready", "old-unready", "young-ready"}));
  EXPECT_EQ(choose_to_end(pods, 9).size(), 4u);
}

TEST(ChooseToEnd, OfTheReadyOnesTheCheapestBeforeTheYoungest) {
  const std::vector<PodRank> pods{{"old", true, 1, 0},
                                  {"cheap", true, 2, -1000},
                                  {"young", true, 3, 0},
                                  {"unready", false, 4, 9}};
  EXPECT_EQ(choose_to_end(pods, 3), (Names{"unready", "cheap", "young"}));
}

struct DeploymentControllerTest : testing::Test {
  ApiStore store{1};
  DeploymentController controller{store};

  void deploy(int replicas) {
    Json labels{{"app", "a"}};
    Json deployment;
    deployment["metadata"]["name"] = "a";
    deployment["spec"]["replicas"] = replicas;
    deployment["spec"]["selector"]["matchLabels"] = labels;
    deployment["spec"]["template"]["metadata"]["labels"] = labels;
    Json container{{"name", "c"}, {"image", "i"}};
    deployment["spec"]["template"]["spec"]["containers"] = Json::array();
    deployment["spec"]["template"]["spec"]["containers"].push_back(container);
    const Stored stored = store.create(kube::kDeployments, deployment);
    ASSERT_TRUE(stored) << stored.error().message;
  }

  /// Names of the Pods that are not being deleted, oldest first.
  Names live() const {
    Names names;
    for (const Object& pod : store.list(kube::kPods, "default")) {
      if (kube::find(*pod, {"metadata", "deletionTimestamp"}) != nullptr) continue;
      names.emplace_back(kube::name_of(*pod));
    }
    return names;
  }

  void make_ready(const std::string& pod) {
    Json status;
    status["conditions"] = Json::array();
    status["conditions"].push_back(Json{{"type", "Ready"}, {"status", "True"}});
    ASSERT_TRUE(store.set_status(kube::kPods, "default", pod, status));
  }

  std::int64_t status(std::string_view field) const {
    const Object deployment = store.find(kube::kDeployments, "default", "a");
    return kube::integer(*deployment, {"status", field}).value_or(-1);
  }
};

TEST_F(DeploymentControllerTest, PodsAreThereWhenTheScalingCallReturns) {
  deploy(0);
  EXPECT_TRUE(live().empty());
  ASSERT_TRUE(store.scale("default", "a", 3));
  EXPECT_EQ(live().size(), 3u);
  EXPECT_EQ(live()[0].substr(0, 2), "a-");
  EXPECT_EQ(live()[0].size(), 7u);
}

TEST_F(DeploymentControllerTest, AReadyPodSurvivesAnUnreadyOne) {
  deploy(2);
  const std::string ready = live()[0];
  make_ready(ready);
  ASSERT_TRUE(store.scale("default", "a", 1));
  EXPECT_EQ(live(), Names{ready});
}

TEST_F(DeploymentControllerTest, APodThatEndsIsReplacedAndOneThatIsEndingIsNotCounted) {
  deploy(1);
  const std::string first = live()[0];
  ASSERT_TRUE(store.remove(kube::kPods, "default", first, ApiStore::Removal()));
  ASSERT_EQ(live().size(), 1u);
  EXPECT_NE(live()[0], first);
  store.remove_now(kube::kPods, "default", first);
  EXPECT_EQ(live().size(), 1u);
}

TEST_F(DeploymentControllerTest, StatusSaysWhatIsThere) {
  deploy(2);
  EXPECT_EQ(status("replicas"), 2);
  EXPECT_EQ(status("readyReplicas"), 0);
  make_ready(live()[1]);
  EXPECT_EQ(status("readyReplicas"), 1);
  EXPECT_EQ(status("unavailableReplicas"), 1);
  ASSERT_TRUE(store.scale("default", "a", 0));
  EXPECT_EQ(status("replicas"), 0);
  EXPECT_EQ(status("observedGeneration"), 2);
}

TEST_F(DeploymentControllerTest, PodsGoWithTheirDeployment) {
  deploy(2);
  store.remove_now(kube::kDeployments, "default", "a");
  EXPECT_TRUE(live().empty());
}

}  // namespace
}  // namespace pilotlight::local
