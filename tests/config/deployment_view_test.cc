#include "config/deployment_view.h"

#include <gtest/gtest.h>

#include "config/container.h"

namespace pilotlight::config {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

json served() {
  return json::parse(R"({
    "metadata": {"name": "iris", "namespace": "models", "uid": "u1", "resourceVersion": "42",
                 "generation": 3, "managedFields": [{}], "labels": {"pilotlight.dev/inject": "true"},
                 "annotations": {"autoscaling.knative.dev/max-scale": "3"}},
    "spec": {"replicas": 0, "strategy": {"type": "RollingUpdate"}, "template": {
      "metadata": {"labels": {"app": "iris"}, "annotations": {
        "pilotlight.dev/container-concurrency": "4", "pilotlight.dev/timeout-seconds": "60",
        "pilotlight.dev/future": "kept"}},
      "spec": {"containers": [{"name": "m", "terminationMessagePath": "/dev/x"}]}}},
    "status": {"readyReplicas": 2, "conditions": []}})");
}

TEST(DeploymentView, ReadsWhatTheApiServes) {
  const auto view = view_deployment(served());
  ASSERT_TRUE(view) << view.error().front();
  EXPECT_EQ(view->name_space, "models");
  EXPECT_EQ(view->service, "iris") << "a plain Deployment: service = revision = its name";
  EXPECT_EQ(view->revision, "iris");
  EXPECT_EQ(view->uid, "u1");
  EXPECT_EQ(view->resource_version, "42");
  EXPECT_FALSE(view->deleting);
  EXPECT_EQ(view->container_concurrency, 4U);
  EXPECT_EQ(view->timeout, 60s);
  EXPECT_EQ(view->replicas, 0U);
  EXPECT_EQ(view->ready_replicas, 2U);
  EXPECT_EQ(view->annotations.size(), 1U);
  EXPECT_EQ(view->template_annotations.at("pilotlight.dev/future"), "kept");
}

TEST(DeploymentView, LabelsNameServiceAndRevision) {
  json object = served();
  object["metadata"]["labels"] = {{"serving.knative.dev/service", "a"},
                                  {"serving.knative.dev/revision", "a-00001"}};
  object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  const auto view = view_deployment(object);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->service, "a");
  EXPECT_EQ(view->revision, "a-00001");
  EXPECT_TRUE(view->deleting);
  EXPECT_FALSE(is_injected(object));
}

TEST(DeploymentView, IllFormedOnesAreProblemsNotCrashes) {
  json object = served();
  object["metadata"]["annotations"] = {{"a", 1}};
  object["spec"]["replicas"] = -1;
  object["spec"]["template"]["metadata"]["annotations"]["pilotlight.dev/timeout-seconds"] = "0";
  const auto view = view_deployment(object);
  ASSERT_FALSE(view);
  EXPECT_EQ(view.error(),
            (Problems{"deployment models/iris: metadata.annotations.a: got 1, expected a string: "
                      "write it in quotes, \"1\"",
                      "deployment models/iris: spec.replicas: got -1, expected an integer in [0, "
                      "1000000]",
                      "deployment models/iris: "
                      "spec.template.metadata.annotations[pilotlight.dev/timeout-seconds]: got "
                      "\"0\", expected an integer in [1, 3600]"}));
  for (const char* text : {"null", "7", "[]", "{}", R"({"metadata": []})", R"({"metadata": {}})",
                           R"({"metadata": {"name": "x"}, "spec": {"template": "no"}})"}) {
    EXPECT_FALSE(view_deployment(json::parse(text))) << text;
    EXPECT_FALSE(is_injected(json::parse(text))) << text;
    EXPECT_FALSE(read_pod_spec(json::parse(text))) << text;
  }
}

TEST(PodSpec, OfTheApiTheContainerWithPortsServes) {
  const auto spec = read_pod_spec(json::parse(R"({
    "initContainers": [{"name": "i"}], "volumes": [{"name": "v", "secret": {}}],
    "terminationGracePeriodSeconds": 7,
    "containers": [{"name": "helper", "envFrom": [{}]},
      {"name": "m", "command": ["x"], "ports": [{"containerPort": 9, "protocol": "UDP"}],
       "env": [{"name": "IP", "valueFrom": {}}, {"name": "A", "value": "1"}]}]})"));
  ASSERT_TRUE(spec) << spec.error().front();
  EXPECT_EQ(spec->container.name, "m");
  EXPECT_EQ(spec->termination_grace, 7s);
  EXPECT_EQ(spec->container.env, (std::vector<EnvVar>{{"A", "1"}}));
}

}  // namespace
}  // namespace pilotlight::config
