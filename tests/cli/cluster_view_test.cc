#include "cli/cluster_view.h"

#include <gtest/gtest.h>

#include "local/status.h"

namespace pilotlight::cli {
namespace {

using kube::Json;

Json deployment(int replicas, int ready) {
  return *kube::parse_json(R"({
    "metadata": {"name": "iris", "namespace": "team", "uid": "u",
                 "labels": {"pilotlight.dev/inject": "true"}},
    "spec": {"replicas": )" +
                           std::to_string(replicas) +
                           R"(, "template": {"metadata": {}, "spec": {"containers": []}}},
    "status": {"readyReplicas": )" +
                           std::to_string(ready) + "}}");
}

Json pod(const std::string& status) {
  return *kube::parse_json(R"({"metadata": {"name": "iris-1", "namespace": "team",
    "labels": {"serving.knative.dev/revision": "iris"}}, "status": )" +
                           status + "}");
}

Json page(const std::string& revision) {
  return *kube::parse_json(
      R"({"revisions": [{"namespace": "other", "revision": "iris", "parked": 9},
                        {"namespace": "team", "revision": "iris", )" +
      revision + "}]}");
}

Json only_service(const ClusterObjects& objects) {
  return compose_cluster_status(objects).at("services").at(0);
}

TEST(ClusterStatus, AddsUpWhatTheActivatorsTell) {
  ClusterObjects objects;
  objects.deployments.push_back(deployment(1, 1));
  objects.pods.push_back(pod(R"({"phase": "Running", "podIP": "10.0.0.7",
    "conditions": [{"type": "Ready", "status": "True"}]})"));
  objects.activators.push_back(page(R"("parked": 2, "in_flight": 3, "requests_per_second": 1.5)"));
  objects.activators.push_back(page(R"("parked": 5, "in_flight": 0, "requests_per_second": 2)"));
  objects.autoscalers.push_back(page(R"("wakes": 0, "decisions": [])"));  // a follower
  objects.autoscalers.push_back(page(R"("wakes": 4, "decisions": [{"to": 1}])"));
  const Json service = only_service(objects);
  EXPECT_EQ(service["parked"], 7);
  EXPECT_EQ(service["in_flight"], 3);
  EXPECT_EQ(service["requests_per_second"], 3.5);
  EXPECT_EQ(service["wakes"], 4);
  EXPECT_EQ(service["state"], "awake");
  EXPECT_EQ(service["decisions"].size(), 1u);
  EXPECT_EQ(service["replicas"][0]["state"], "ready");
  EXPECT_EQ(service["replicas"][0]["address"], "10.0.0.7");
}

TEST(ClusterStatus, WhatNoPageToldIsNullAndADashForPeople) {
  ClusterObjects objects;
  objects.deployments.push_back(deployment(0, 0));
  const Json status = compose_cluster_status(objects);
  EXPECT_TRUE(status["services"][0]["parked"].is_null());
  EXPECT_EQ(status["services"][0]["state"], "asleep");
  const std::string table = local::status_table(status);
  EXPECT_NE(table.find("team/iris                asleep          0       0       -       -      -"),
            std::string::npos)
      << table;
}

TEST(ClusterStatus, SaysWhoElseScalesItAndWhatKeepsItFromWaking) {
  ClusterObjects objects;
  objects.deployments.push_back(deployment(0, 0));
  Json status = compose_cluster_status(objects);
  EXPECT_TRUE(status["services"][0].at("left_alone_to").is_null());
  EXPECT_TRUE(status["services"][0].at("cause").is_null());
  EXPECT_EQ(local::status_table(status).find("cause"), std::string::npos);
  objects.autoscalers.push_back(page(R"("wakes": 0)"));  // a follower
  objects.autoscalers.push_back(
      page(R"("left_alone_to": "HorizontalPodAutoscaler hpa", "cause": "no GPU")"));
  status = compose_cluster_status(objects);
  EXPECT_EQ(status["services"][0]["left_alone_to"], "HorizontalPodAutoscaler hpa");
  EXPECT_EQ(status["services"][0]["cause"], "no GPU");
  const std::string table = local::status_table(status);
  EXPECT_NE(table.find("\n  left alone: HorizontalPodAutoscaler hpa scales it\n  cause: no GPU\n"),
            std::string::npos)
      << table;
}

TEST(ClusterStatus, SaysWhyAPodIsNotReady) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
           "reason": "Unschedulable", "message": "0/1 nodes: too few GPUs"}]})",
       "Unschedulable: 0/1 nodes: too few GPUs"},
      {R"({"phase": "Pending", "containerStatuses": [{"name": "app",
           "state": {"waiting": {"reason": "ImagePullBackOff"}}}]})",
       "app: ImagePullBackOff"},
      {R"({"phase": "Running", "containerStatuses": [{"name": "app", "restartCount": 3,
           "state": {"waiting": {"reason": "CrashLoopBackOff"}},
           "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}}]})",
       "app: exit code 3 (Error)"},
  };
  for (const auto& [status, why] : cases) {
    ClusterObjects objects;
    objects.deployments.push_back(deployment(1, 0));
    objects.pods.push_back(pod(status));
    const Json service = only_service(objects);
    EXPECT_EQ(service["state"], "failing") << status;
    EXPECT_EQ(service["replicas"][0]["last_exit"], why) << status;
  }
}

TEST(ClusterStatus, APodThatOnlyNeedsTimeIsNoFailure) {
  ClusterObjects objects;
  objects.deployments.push_back(deployment(1, 0));
  objects.pods.push_back(pod(R"({"phase": "Pending", "containerStatuses": [{"name": "app",
    "state": {"waiting": {"reason": "ContainerCreating"}}}]})"));
  EXPECT_EQ(only_service(objects)["state"], "waking");
}

TEST(ClusterStatus, TakesWhateverTheApiSends) {
  ClusterObjects objects;
  objects.deployments = {Json(), Json(7), deployment(1, 0)};
  objects.pods = {Json(), pod("7"), pod(R"({"containerStatuses": {"a": 1}})")};
  objects.activators = {Json(), page(R"("parked": "many")")};
  EXPECT_EQ(compose_cluster_status(objects).at("services").size(), 1u);
}

}  // namespace
}  // namespace pilotlight::cli
