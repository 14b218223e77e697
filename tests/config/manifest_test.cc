#include "config/manifest.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "tests/config/manifest_text.h"

namespace pilotlight::config {
namespace {

using namespace std::chrono_literals;
using test::deployment;
using test::service;

Manifests read(const std::string& text) {
  const auto manifests = read_manifest(text, "m.yaml", "/srv/models");
  EXPECT_TRUE(manifests) << manifests.error().front();
  return manifests ? *manifests : Manifests();
}

Revision only(const std::string& text) {
  const Manifests manifests = read(text);
  EXPECT_EQ(manifests.revisions.size(), 1U);
  return manifests.revisions.empty() ? Revision() : manifests.revisions.front();
}

TEST(Manifest, AServiceBecomesItsFirstRevision) {
  const Revision revision = only(service());
  EXPECT_EQ(revision.name_space, "default");
  EXPECT_EQ(revision.service, "iris");
  EXPECT_EQ(revision.name, "iris-00001");
  EXPECT_EQ(revision.deployment_name, "iris-00001-deployment");
  EXPECT_EQ(revision.container.name, "user-container");
  EXPECT_EQ(revision.container.image, "example.com/iris");
  EXPECT_EQ(revision.container.declared_port(), 8080);
  EXPECT_EQ(revision.container_concurrency, 0U);
  EXPECT_EQ(revision.timeout, 300s);
  EXPECT_EQ(revision.termination_grace, 300s);
  EXPECT_FALSE(revision.response_start_timeout || revision.idle_timeout);
  EXPECT_EQ(revision.policy, ScalingPolicy());
  EXPECT_EQ(revision.folder, "/srv/models");
  EXPECT_EQ(revision.source, "m.yaml:10");
  EXPECT_TRUE(check_runnable_locally(revision).empty());
}

TEST(Manifest, AServiceIsReadWhole) {
  const Revision revision = only(service(
      "        autoscaling.knative.dev/min-scale: \"2\"\n"
      "        pilotlight.dev/hold-permit: until-answered\n"
      "        example.com/team: ours\n",
      "      containerConcurrency: 4\n"
      "      timeoutSeconds: 120\n"
      "      responseStartTimeoutSeconds: 60\n"
      "      idleTimeoutSeconds: 30\n",
      "          name: mlserver\n"
      "          command: [bin/serve]\n"
      "          args: [\"start\", \"$(PORT)\"]\n"
      "          workingDir: sub\n"
      "          env: [{name: A, value: \"1\"}, {name: EMPTY}]\n"
      "          ports: [{name: http1, containerPort: 9000}]\n"
      "          readinessProbe: {httpGet: {path: /ready, port: http1}, periodSeconds: 2}\n"));
  EXPECT_EQ(revision.container_concurrency, 4U);
  EXPECT_EQ(revision.policy.container_concurrency, 4U);
  EXPECT_EQ(revision.policy.min_scale, 2U);
  EXPECT_EQ(revision.timeout, 120s);
  EXPECT_EQ(revision.termination_grace, 120s);
  EXPECT_EQ(revision.response_start_timeout, 60s);
  EXPECT_EQ(revision.idle_timeout, 30s);
  EXPECT_TRUE(revision.hold_permit_until_answered);
  EXPECT_EQ(revision.container.name, "mlserver");
  EXPECT_EQ(revision.container.command, std::vector<std::string>{"bin/serve"});
  EXPECT_EQ(revision.container.args, (std::vector<std::string>{"start", "$(PORT)"}));
  EXPECT_EQ(revision.container.working_dir, "/srv/models/sub");
  EXPECT_EQ(revision.container.env, (std::vector<EnvVar>{{"A", "1"}, {"EMPTY", ""}}));
  EXPECT_EQ(revision.container.declared_port(), 9000);
  EXPECT_EQ(revision.container.readiness_probe["httpGet"]["path"], "/ready");
  EXPECT_EQ(revision.template_annotations.at("example.com/team"), "ours");
}

TEST(Manifest, AServiceMayNameItsRevision) {
  std::string text = service();
  text.replace(text.find("metadata: {}"), 12, "metadata: {name: iris-blue}");
  EXPECT_EQ(only(text).name, "iris-blue");
}

TEST(Manifest, HarmlessPartsOfAnExportedServiceAreTaken) {
  std::string text = service() +
                     "  traffic:\n"
                     "    - {latestRevision: true, percent: 100}\n"
                     "status: {url: \"http://iris\"}\n";
  text.replace(text.find("  name: iris\n"), 13,
               "  name: iris\n"
               "  namespace: models\n"
               "  uid: abc\n"
               "  creationTimestamp: null\n"
               "  annotations: {serving.knative.dev/creator: me}\n"
               "  labels: {team: ours}\n");
  const Revision revision = only(text);
  EXPECT_EQ(revision.name_space, "models");
  EXPECT_EQ(revision.labels.at("team"), "ours");
}

TEST(Manifest, APlainDeploymentKeepsItsName) {
  const Revision revision =
      only(deployment("  annotations: {autoscaling.knative.dev/max-scale: \"3\"}\n",
                      "        pilotlight.dev/container-concurrency: \"2\"\n"
                      "        pilotlight.dev/timeout-seconds: \"90\"\n"
                      "        pilotlight.dev/idle-timeout-seconds: \"0\"\n",
                      "  strategy: {type: Recreate}\n"));
  EXPECT_EQ(revision.service, "iris");
  EXPECT_EQ(revision.name, "iris");
  EXPECT_EQ(revision.deployment_name, "iris");
  EXPECT_EQ(revision.container_concurrency, 2U);
  EXPECT_EQ(revision.timeout, 90s);
  EXPECT_FALSE(revision.idle_timeout);
  EXPECT_EQ(revision.termination_grace, 30s) << "Kubernetes' own default";
  EXPECT_EQ(revision.policy.max_scale, 3U);
  EXPECT_EQ(revision.selector, (StringMap{{"app", "iris"}}));
}

TEST(Manifest, AFileMayHoldBothKinds) {
  std::string other = deployment();
  other.replace(other.find("name: iris"), 10, "name: rose");
  const Manifests manifests = read("---\n" + service() + "---\n" + other);
  ASSERT_EQ(manifests.revisions.size(), 2U);
  EXPECT_EQ(manifests.revisions[1].service, "rose");
}

TEST(Manifest, TheHttpPortOfADeploymentComesFirst) {
  const Revision revision = only(
      deployment() +
      "          ports: [{name: grpc, containerPort: 9001}, {name: http, containerPort: 9000}]\n");
  EXPECT_EQ(revision.container.declared_port(), 9000);
}

TEST(Manifest, WhatALaptopDoesNotUseIsSaidOnce) {
  const Manifests manifests =
      read(service("",
                   "      serviceAccountName: me\n"
                   "      volumes: [{name: tmp, emptyDir: {}}]\n",
                   "          command: [serve]\n"
                   "          resources: {limits: {cpu: 2, nvidia.com/gpu: 1}}\n"
                   "          securityContext: {runAsNonRoot: true}\n"
                   "          readinessProbe: {exec: {command: [\"true\"]}}\n"));
  ASSERT_EQ(manifests.notes.size(), 1U);
  const std::string c = "spec.template.spec.containers[0].";
  EXPECT_EQ(manifests.notes[0], "m.yaml:1: Service iris: not used on a laptop: " + c +
                                    "readinessProbe.exec, " + c + "image, " + c + "resources, " +
                                    c +
                                    "securityContext, spec.template.spec.volumes[0], "
                                    "spec.template.spec.serviceAccountName");
}

TEST(Manifest, DirectoriesAreReadInOrderAndNotDeeper) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / "manifest_test_directory";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder / "deeper.yaml");
  const auto write = [&](const char* file, const char* name) {
    std::string text = service();
    text.replace(text.find("name: iris"), 10, std::string("name: ") + name);
    std::ofstream(folder / file) << text;
  };
  write("b.yml", "b");
  write("a.yaml", "a");
  write("c.json", "c");
  write("d.txt", "d");
  const auto manifests = load_manifests({folder.string()});
  std::filesystem::remove_all(folder);
  ASSERT_TRUE(manifests) << manifests.error().front();
  ASSERT_EQ(manifests->revisions.size(), 3U);
  EXPECT_EQ(manifests->revisions[0].service, "a");
  EXPECT_EQ(manifests->revisions[1].service, "b");
  EXPECT_EQ(manifests->revisions[2].service, "c");
  EXPECT_EQ(manifests->revisions[0].folder, folder.string());
}

}  // namespace
}  // namespace pilotlight::config
