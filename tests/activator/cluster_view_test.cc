#include "activator/cluster_view.h"

#include <gtest/gtest.h>

#include "common/net/listener.h"

namespace pilotlight::activator {
namespace {

using Json = nlohmann::json;

Json slice() {
  return Json::parse(R"({
    "metadata": {"name": "iris-00001-private-x", "namespace": "default",
                 "labels": {"kubernetes.io/service-name": "iris-00001-private"}},
    "ports": [{"name": "metrics", "port": 9090}, {"name": "http", "port": 8013}],
    "endpoints": [
      {"addresses": ["127.1.2.10"], "conditions": {"ready": true}, "targetRef": {"name": "a"}},
      {"addresses": ["127.1.2.11"], "conditions": {"ready": false}, "targetRef": {"name": "b"}},
      {"addresses": ["127.1.2.12"]}]})");
}

TEST(ViewSliceTest, EndpointsOfARevisionsPrivateServiceAreRead) {
  const auto view = view_slice(slice());
  ASSERT_TRUE(view);
  EXPECT_EQ(view->revision.name_space, "default");
  EXPECT_EQ(view->revision.revision, "iris-00001");
  ASSERT_EQ(view->replicas.size(), 3u);
  EXPECT_EQ(to_string(view->replicas[0].address), "127.1.2.10:8013");
  EXPECT_EQ(view->replicas[0].name, "a");
  EXPECT_TRUE(view->replicas[0].ready);
  EXPECT_FALSE(view->replicas[1].ready);
  EXPECT_TRUE(view->replicas[2].ready) << "no condition means ready";
}

TEST(ViewSliceTest, OtherServicesAndOtherShapesAreNot) {
  Json other = slice();
  other["metadata"]["labels"]["kubernetes.io/service-name"] = "iris-00001";
  EXPECT_FALSE(view_slice(other));
  other["metadata"]["labels"]["kubernetes.io/service-name"] = "-private";
  EXPECT_FALSE(view_slice(other));
  EXPECT_FALSE(view_slice(Json("text")));
  EXPECT_FALSE(view_slice(Json()));
  Json odd = slice();
  odd["endpoints"] = Json::parse(R"([{"addresses": [7]}, {"addresses": ["no"]}, 3, {}])");
  odd["ports"] = "none";
  ASSERT_TRUE(view_slice(odd));
  EXPECT_TRUE(view_slice(odd)->replicas.empty());
}

Json pod() {
  return Json::parse(R"({
    "metadata": {"name": "iris-00001-deployment-abcde", "namespace": "default",
                 "labels": {"serving.knative.dev/revision": "iris-00001"},
                 "ownerReferences": [{"name": "iris-00001-deployment"}]},
    "status": {
      "conditions": [{"type": "Ready", "status": "False", "message": "not ready yet"}],
      "containerStatuses": [
        {"name": "user-container", "state": {"waiting": {"reason": "ContainerCreating"}},
         "lastState": {"terminated": {"exitCode": 3, "message": "one\nno such model\n"}}}]}})");
}

TEST(ViewPodTest, TheLastWordsOfAContainerAreTheCause) {
  const PodView view = view_pod(pod());
  EXPECT_EQ(view.revision, "iris-00001");
  EXPECT_EQ(view.owner, "iris-00001-deployment");
  EXPECT_FALSE(view.ready);
  EXPECT_EQ(view.failure,
            "replica iris-00001-deployment-abcde: container user-container: exit code 3: no such "
            "model");
}

TEST(ViewPodTest, WhatAContainerWaitsForIsNamedBesideHowItEnded) {
  Json crashing = pod();
  Json& status = crashing["status"]["containerStatuses"][0];
  status["state"]["waiting"] =
      Json{{"reason", "CrashLoopBackOff"}, {"message", "back-off 10s restarting failed container"}};
  EXPECT_EQ(view_pod(crashing).failure,
            "replica iris-00001-deployment-abcde: container user-container: CrashLoopBackOff, exit "
            "code 3: no such model");
  status["lastState"]["terminated"].erase("message");
  EXPECT_EQ(view_pod(crashing).failure,
            "replica iris-00001-deployment-abcde: container user-container: CrashLoopBackOff, exit "
            "code 3");
  status["lastState"]["terminated"]["exitCode"] = 0;
  EXPECT_EQ(view_pod(crashing).failure,
            "replica iris-00001-deployment-abcde: container user-container: CrashLoopBackOff: "
            "back-off 10s restarting failed container");
}

TEST(ViewPodTest, WithoutAnExitTheConditionOrTheStatusSaysWhy) {
  Json waiting = pod();
  waiting["status"]["containerStatuses"][0]["lastState"] = Json::object();
  EXPECT_EQ(view_pod(waiting).failure, "");
  EXPECT_EQ(view_pod(waiting).unready, "replica iris-00001-deployment-abcde: not ready yet");
  waiting["status"]["containerStatuses"][0]["state"]["waiting"] =
      Json{{"reason", "ImagePullBackOff"}, {"message", "no such image"}};
  EXPECT_EQ(view_pod(waiting).failure,
            "replica iris-00001-deployment-abcde: container user-container: ImagePullBackOff: no "
            "such image");
  Json failed = pod();
  failed["status"] = Json{{"phase", "Pending"}, {"message", "no free address"}};
  EXPECT_EQ(view_pod(failed).failure, "replica iris-00001-deployment-abcde: no free address");
}

TEST(ViewPodTest, WhatKeepsAPodFromANodeOrItsSidecarFromStartingIsTheCause) {
  Json waits = Json::parse(R"({"metadata": {"name": "p"}, "status": {"phase": "Pending",
    "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                    "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."}]}})");
  EXPECT_EQ(view_pod(waits).failure,
            "replica p: Unschedulable: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu.");
  waits["status"]["conditions"][0]["status"] = "True";
  EXPECT_EQ(view_pod(waits).failure, "");
  waits["status"]["initContainerStatuses"] = Json::parse(
      R"([{"name": "pilotlight-proxy", "state": {"waiting": {"reason": "ImagePullBackOff",
           "message": "Back-off pulling image \"x\""}}}])");
  EXPECT_EQ(
      view_pod(waits).failure,
      "replica p: container pilotlight-proxy: ImagePullBackOff: Back-off pulling image \"x\"");
}

TEST(ViewRefusalTest, AQuotaSaysWhyThereIsNoPod) {
  Json deployment = Json::parse(R"({"status": {"conditions": [
    {"type": "Progressing", "status": "True"},
    {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
     "message": "pods \"iris-1\" is forbidden: exceeded quota: team"}]}})");
  EXPECT_EQ(view_refusal(deployment),
            "FailedCreate: pods \"iris-1\" is forbidden: exceeded quota: team");
  deployment["status"]["conditions"][1]["status"] = "False";
  EXPECT_EQ(view_refusal(deployment), "");
  EXPECT_EQ(view_refusal(Json(7)), "");
}

TEST(ViewPodTest, AReadyOrLeavingPodHasNoFailure) {
  Json good = pod();
  good["status"]["conditions"][0]["status"] = "True";
  EXPECT_TRUE(view_pod(good).ready);
  EXPECT_EQ(view_pod(good).failure, "");
  Json leaving = pod();
  leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  EXPECT_EQ(view_pod(leaving).failure, "");
  EXPECT_EQ(view_pod(Json(1)).failure, "");
}

}  // namespace
}  // namespace pilotlight::activator
