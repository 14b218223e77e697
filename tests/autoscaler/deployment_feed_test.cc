// What the Loop is told of a Deployment whose annotations do not read.
#include <gtest/gtest.h>

#include "autoscaler/kube_feed.h"
#include "tests/autoscaler/loop_world.h"

namespace pilotlight::autoscaler {
namespace {

using kube::Json;

class DeploymentFeedTest : public LoopTest {
 protected:
  static Json deployment(const Json& annotations) {
    Json object = Json::parse(R"({"metadata": {"name": "iris", "namespace": "default",
        "generation": 2, "labels": {"pilotlight.dev/inject": "true"}},
        "spec": {"replicas": 5, "template": {"spec": {"containers": [{"name": "m"}]}}}})");
    object["metadata"]["annotations"] = annotations;
    return object;
  }
  const config::ScalingPolicy& policy() {
    return loop.subjects().at({"default", "iris"})->view.policy;
  }
  config::AutoscalerDefaults defaults;
};

constexpr const char* kMin = "autoscaling.knative.dev/min-scale";
constexpr const char* kMax = "autoscaling.knative.dev/max-scale";
constexpr const char* kWindow = "autoscaling.knative.dev/window";

TEST_F(DeploymentFeedTest, WhatDidReadHoldsForAProcessThatHasNotSeenItBefore) {
  defaults.max_scale_limit = 10;
  defaults.max_scale = 8;
  defaults.grace = std::chrono::seconds(7);
  DeploymentFeed feed(loop, defaults);
  feed.applied(deployment({{kMin, "5"}, {kMax, "20"}}));
  EXPECT_EQ(policy().min_scale, 5U);
  EXPECT_EQ(policy().max_scale, 10U) << "no more than max-scale-limit";
  EXPECT_EQ(policy().grace, std::chrono::seconds(7));
  feed.removed(deployment({}));
  feed.applied(deployment({{kMin, "5"}, {kWindow, "soon"}}));
  EXPECT_EQ(policy().min_scale, 5U);
  EXPECT_EQ(policy().max_scale, 8U);
}

TEST_F(DeploymentFeedTest, TheLastGoodPolicyStaysWhileTheNewOneDoesNotRead) {
  DeploymentFeed feed(loop, defaults);
  feed.applied(deployment({{kMin, "2"}, {kMax, "3"}}));
  feed.applied(deployment({{kMin, "4"}, {kMax, "3"}}));
  EXPECT_EQ(policy().min_scale, 2U);
  feed.applied(deployment({{kMin, "4"}, {kMax, "5"}}));
  EXPECT_EQ(policy().min_scale, 4U);
}

}  // namespace
}  // namespace pilotlight::autoscaler
