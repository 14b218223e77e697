#include "config/revision.h"

#include <gtest/gtest.h>

#include "config/deployment_view.h"
#include "config/manifest.h"
#include "tests/config/manifest_text.h"

namespace pilotlight::config {
namespace {

using nlohmann::json;

Revision only(const std::string& text) {
  const auto manifests = read_manifest(text, "m.yaml", "/srv");
  EXPECT_TRUE(manifests) << manifests.error().front();
  return manifests ? manifests->revisions.front() : Revision();
}

TEST(Revision, AServiceBecomesTheDeploymentThatTheProgramsExpect) {
  const json wanted = json::parse(R"json({
    "apiVersion": "apps/v1", "kind": "Deployment",
    "metadata": {"name": "iris-00001-deployment", "namespace": "default",
      "labels": {"serving.knative.dev/service": "iris", "serving.knative.dev/revision": "iris-00001",
                 "pilotlight.dev/inject": "true"},
      "annotations": {"autoscaling.knative.dev/min-scale": "2"}},
    "spec": {"replicas": 2,
      "selector": {"matchLabels": {"serving.knative.dev/revision": "iris-00001"}},
      "template": {
        "metadata": {
          "labels": {"serving.knative.dev/service": "iris",
                     "serving.knative.dev/revision": "iris-00001", "pilotlight.dev/inject": "true"},
          "annotations": {"autoscaling.knative.dev/min-scale": "2",
                          "pilotlight.dev/container-concurrency": "4",
                          "pilotlight.dev/timeout-seconds": "300",
                          "pilotlight.dev/idle-timeout-seconds": "20",
                          "pilotlight.dev/manifest-folder": "/srv"}},
        "spec": {"terminationGracePeriodSeconds": 300, "containers": [
          {"name": "user-container", "image": "example.com/iris", "command": ["serve"],
           "args": ["-p", "$(PORT)"], "env": [{"name": "A", "value": "1"}],
           "ports": [{"containerPort": 9000, "protocol": "TCP"}],
           "readinessProbe": {"tcpSocket": {"port": 9000}}}]}}}})json");
  const Revision revision =
      only(test::service("        autoscaling.knative.dev/min-scale: \"2\"\n",
                         "      containerConcurrency: 4\n      idleTimeoutSeconds: 20\n",
                         "          command: [serve]\n"
                         "          args: [-p, $(PORT)]\n"
                         "          env: [{name: A, value: \"1\"}]\n"
                         "          ports: [{containerPort: 9000}]\n"
                         "          readinessProbe: {tcpSocket: {port: 9000}}\n"));
  EXPECT_EQ(to_deployment(revision), wanted) << to_deployment(revision).dump(2);
}

TEST(Revision, WhatIsWrittenIsReadBack) {
  const Revision service =
      only(test::service("        pilotlight.dev/hold-permit: until-answered\n",
                         "      containerConcurrency: 7\n"
                         "      responseStartTimeoutSeconds: 9\n"));
  const Revision plain =
      only(test::deployment("", "        pilotlight.dev/timeout-seconds: \"5\"\n"));
  for (const Revision& revision : {service, plain}) {
    const json object = to_deployment(revision);
    EXPECT_TRUE(is_injected(object));
    const auto view = view_deployment(object);
    ASSERT_TRUE(view) << view.error().front();
    EXPECT_EQ(view->name_space, revision.name_space);
    EXPECT_EQ(view->service, revision.service);
    EXPECT_EQ(view->revision, revision.name);
    EXPECT_EQ(view->deployment_name, revision.deployment_name);
    EXPECT_EQ(view->container_concurrency, revision.container_concurrency);
    EXPECT_EQ(view->timeout, revision.timeout);
    EXPECT_EQ(view->response_start_timeout, revision.response_start_timeout);
    EXPECT_EQ(view->idle_timeout, revision.idle_timeout);
    EXPECT_EQ(view->hold_permit_until_answered, revision.hold_permit_until_answered);
    EXPECT_EQ(view->manifest_folder, "/srv");
    EXPECT_EQ(view->replicas, 1U);
    const auto pods = read_pod_spec(object["spec"]["template"]["spec"]);
    ASSERT_TRUE(pods) << pods.error().front();
    EXPECT_EQ(pods->container, revision.container);
    EXPECT_EQ(pods->termination_grace, revision.termination_grace);
    const auto policy = read_scaling_policy(view->annotations, view->container_concurrency);
    ASSERT_TRUE(policy);
    EXPECT_EQ(*policy, revision.policy);
  }
}

}  // namespace
}  // namespace pilotlight::config
