#include "autoscaler/pod_view.h"

#include <gtest/gtest.h>

namespace pilotlight::autoscaler {
namespace {

using kube::Json;

/// A Pod with this status, as kubelet writes it.
PodView view(const char* status, const char* spec = "{}") {
  Json pod = Json::parse(R"({"metadata": {"name": "p", "namespace": "team",
      "labels": {"serving.knative.dev/revision": "iris-00001"},
      "ownerReferences": [{"kind": "ReplicaSet", "name": "iris-00001-deployment-5d4f"}]}})");
  pod["status"] = Json::parse(status);
  pod["spec"] = Json::parse(spec);
  return view_pod(pod);
}

constexpr const char* kScheduled =
    R"({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"},
        {"type": "Initialized", "status": "False"}],
        "containerStatuses": [{"name": "user-container", "restartCount": 0,
                               "state": {"waiting": {"reason": "PodInitializing"}}}]})";
constexpr const char* kInitialized =
    R"({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"},
        {"type": "Initialized", "status": "True"}],
        "containerStatuses": [{"name": "user-container", "restartCount": 0,
                               "state": {"waiting": {"reason": "ContainerCreating"}}}]})";

TEST(PodView, APodThatIsOnItsWayReachesOnePhaseAfterTheOther) {
  const PodView fresh = view(R"({"phase": "Pending"})");
  EXPECT_EQ(fresh.revision, "iris-00001");
  EXPECT_EQ(fresh.owner, "iris-00001-deployment-5d4f");
  EXPECT_EQ(fresh.reached, std::nullopt);
  EXPECT_FALSE(fresh.broken());
  EXPECT_EQ(view(kScheduled).reached, Phase::scheduled);
  EXPECT_EQ(view(kInitialized).reached, Phase::scheduled) << "it has nothing to initialise";
  const char* with_init = R"({"initContainers": [{"name": "fetch"}]})";
  EXPECT_EQ(view(kInitialized, with_init).reached, Phase::init);
  const char* with_sidecar =
      R"({"initContainers": [{"name": "queue-proxy", "restartPolicy": "Always"}]})";
  EXPECT_EQ(view(kInitialized, with_sidecar).reached, Phase::scheduled);
  const PodView running = view(
      R"({"phase": "Running", "containerStatuses": [
          {"name": "user-container", "state": {"running": {}}},
          {"name": "queue-proxy", "state": {"waiting": {"reason": "ContainerCreating"}}}],
          "conditions": [{"type": "Ready", "status": "True"}]})");
  EXPECT_EQ(running.reached, Phase::start) << "the app's process counts, not the sidecar's";
  EXPECT_TRUE(running.ready);
}

TEST(PodView, AnAppThatEndsHasAnExitCodeAndLastWords) {
  const PodView pod = view(
      R"({"phase": "Running", "containerStatuses": [{"name": "user-container", "restartCount": 3,
          "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
          "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled",
                                       "message": "loading\nno memory"}}}]})");
  ASSERT_TRUE(pod.end);
  EXPECT_EQ(pod.end->exit_code, 137);
  EXPECT_EQ(pod.end->reason, "OOMKilled");
  EXPECT_EQ(pod.end->last_words, "loading\nno memory");
  EXPECT_EQ(pod.restarts, 3);
  EXPECT_TRUE(pod.blocked.empty()) << "it starts, and ends";
  EXPECT_TRUE(pod.broken());
}

TEST(PodView, AnInitContainerThatIsDoneIsNoFailure) {
  EXPECT_FALSE(view(R"({"initContainerStatuses": [{"name": "fetch",
      "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]})")
                   .end);
  EXPECT_TRUE(view(R"({"initContainerStatuses": [{"name": "fetch",
      "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}]})")
                  .end);
  EXPECT_TRUE(view(R"({"containerStatuses": [{"name": "user-container",
      "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]})")
                  .end)
      << "a server that ends has failed";
}

TEST(PodView, WhatKeepsAPodFromStartingIsSaid) {
  EXPECT_EQ(view(R"({"containerStatuses": [{"name": "user-container",
      "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]})")
                .blocked,
            "ImagePullBackOff: no such image");
  EXPECT_EQ(view(R"({"conditions": [{"type": "PodScheduled", "status": "False",
      "reason": "Unschedulable", "message": "0/3 nodes are available"}]})")
                .blocked,
            "Unschedulable: 0/3 nodes are available");
  EXPECT_EQ(
      view(R"({"phase": "Pending", "reason": "InvalidSpec", "message": "no command"})").blocked,
      "InvalidSpec: no command");
}

TEST(PodView, AnythingAtAllIsRead) {
  for (const char* text : {"{}", "[]", "null", "3", R"({"status": 5, "metadata": []})",
                           R"({"status": {"containerStatuses": [1, null, {"state": []}],
                               "conditions": {}}})"}) {
    const PodView pod = view_pod(Json::parse(text));
    EXPECT_FALSE(pod.broken()) << text;
    EXPECT_EQ(pod.reached, std::nullopt) << text;
  }
}

TEST(Reachability, ARevisionThatNoRouteNamesIsOutOfReach) {
  Json deployment = Json::parse(R"({"metadata": {"labels": {}}, "spec": {"replicas": 1}})");
  EXPECT_TRUE(is_reachable(deployment));
  deployment["metadata"]["labels"]["serving.knative.dev/routingState"] = "pending";
  EXPECT_TRUE(is_reachable(deployment));
  deployment["metadata"]["labels"]["serving.knative.dev/routingState"] = "reserve";
  EXPECT_FALSE(is_reachable(deployment));
}

TEST(Reachability, SoIsOneWhoseInfrastructureHasFailedWithNoneReady) {
  Json deployment = Json::parse(R"({"spec": {"replicas": 2}, "status": {"conditions": [
      {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}})");
  EXPECT_FALSE(is_reachable(deployment));
  deployment["status"]["readyReplicas"] = 1;
  EXPECT_TRUE(is_reachable(deployment)) << "one can still answer";
  deployment["status"]["readyReplicas"] = 0;
  deployment["spec"]["replicas"] = 0;
  EXPECT_TRUE(is_reachable(deployment)) << "a wake tries again";
  deployment["spec"]["replicas"] = 2;
  deployment["status"]["conditions"][0]["status"] = "True";
  EXPECT_TRUE(is_reachable(deployment));
}

TEST(PulledView, OnlyThePulledImageOfAContainerOfTheUserCounts) {
  Json event = Json::parse(R"({"reason": "Pulled", "involvedObject": {"kind": "Pod",
      "namespace": "team", "name": "p", "fieldPath": "spec.containers{user-container}"}})");
  ASSERT_TRUE(view_pulled(event));
  EXPECT_EQ(view_pulled(event)->pod, "p");
  event["involvedObject"]["fieldPath"] = "spec.initContainers{queue-proxy}";
  EXPECT_FALSE(view_pulled(event));
  event["involvedObject"]["fieldPath"] = "spec.initContainers{pilotlight-proxy}";
  EXPECT_FALSE(view_pulled(event));
  event["involvedObject"]["fieldPath"] = "spec.containers{user-container}";
  event["message"] = R"(Successfully pulled image "x" in 1.2s)";
  EXPECT_TRUE(view_pulled(event));
  event["message"] = R"(Container image "x" already present on machine)";
  EXPECT_FALSE(view_pulled(event)) << "nothing was waited for";
  event["message"] = "";
  event["reason"] = "Pulling";
  EXPECT_FALSE(view_pulled(event));
  EXPECT_FALSE(view_pulled(Json::parse("[]")));
}

TEST(WarningView, AWarningAboutAPodIsReadWithWhenItWasSaidLast) {
  Json event = Json::parse(R"({"type": "Warning", "reason": "FailedMount", "message": "no volume",
      "eventTime": null, "firstTimestamp": "2026-11-29T20:00:00Z",
      "lastTimestamp": "2026-11-29T21:00:00Z",
      "involvedObject": {"kind": "Pod", "namespace": "team", "name": "p"}})");
  const auto warning = view_warning(event);
  ASSERT_TRUE(warning);
  EXPECT_EQ(warning->name_space, "team");
  EXPECT_EQ(warning->pod, "p");
  EXPECT_EQ(warning->reason, "FailedMount");
  EXPECT_EQ(warning->text, "FailedMount: no volume");
  EXPECT_EQ(warning->at, "2026-11-29T21:00:00");
  event["lastTimestamp"] = nullptr;
  event["eventTime"] = "2026-11-29T21:00:01.123456Z";
  EXPECT_EQ(view_warning(event)->at, "2026-11-29T21:00:01");
  event["series"]["lastObservedTime"] = "2026-11-29T21:00:02.123456Z";
  EXPECT_EQ(view_warning(event)->at, "2026-11-29T21:00:02");
  event["message"] = std::string(9000, 'x');
  EXPECT_EQ(view_warning(event)->text.size(), 500U);
  event["involvedObject"]["kind"] = "Node";
  EXPECT_FALSE(view_warning(event));
  event["involvedObject"]["kind"] = "Pod";
  event["type"] = "Normal";
  EXPECT_FALSE(view_warning(event));
  EXPECT_FALSE(view_warning(Json::parse("[]")));
}

TEST(PodView, APodWithoutANodeSaysWhy) {
  const PodView pod = view(
      R"({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
          "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient cpu."}]})");
  EXPECT_TRUE(pod.broken());
  EXPECT_EQ(pod.blocked, "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu.");
}

TEST(PodView, AnImageThatCannotBePulledSaysWhy) {
  for (const std::string reason : {"ErrImagePull", "ImagePullBackOff"}) {
    const std::string status =
        R"({"phase": "Pending", "containerStatuses": [{"name": "user-container",
            "state": {"waiting": {"reason": ")" +
        reason + R"(", "message": "no such image"}}}]})";
    EXPECT_EQ(view(status.c_str()).blocked, reason + ": no such image");
  }
}

TEST(PodView, AContainerThatIsPutOffAfterItsEndsIsSeen) {
  const PodView pod = view(
      R"({"phase": "Running", "containerStatuses": [{"name": "user-container", "restartCount": 3,
          "state": {"waiting": {"reason": "CrashLoopBackOff"}},
          "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}]})");
  EXPECT_TRUE(pod.backing_off);
  EXPECT_TRUE(pod.broken());
}

TEST(PodView, TheCostOfItsEndIsRead) {
  const auto cost = [](const char* text) {
    Json pod = Json::parse(R"({"metadata": {"name": "p"}})");
    pod["metadata"]["annotations"]["controller.kubernetes.io/pod-deletion-cost"] = text;
    return view_pod(pod).deletion_cost;
  };
  EXPECT_EQ(cost("-1000"), -1000);
  EXPECT_EQ(cost("12"), 12);
  EXPECT_EQ(cost("12 or so"), 0);
  EXPECT_EQ(cost("99999999999"), 0);
  EXPECT_EQ(view("{}").deletion_cost, 0);
}

TEST(DeploymentView, PodsThatCannotBeMadeHaveACause) {
  const auto refused = [](const char* status) {
    Json deployment;
    deployment["status"]["conditions"] = Json::parse(status);
    return creation_refused(deployment);
  };
  EXPECT_EQ(refused(R"([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
                         "message": "pods \"p\" is forbidden: exceeded quota: team"}])"),
            "FailedCreate: pods \"p\" is forbidden: exceeded quota: team");
  EXPECT_EQ(refused(R"([{"type": "ReplicaFailure", "status": "False"}])"), "");
  EXPECT_EQ(refused(R"([{"type": "Progressing", "status": "True"}])"), "");
}

}  // namespace
}  // namespace pilotlight::autoscaler
