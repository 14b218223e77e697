// Every way a manifest can be wrong has one clear message: the exact texts.

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "config/manifest.h"
#include "tests/config/manifest_text.h"

namespace pilotlight::config {
namespace {

using test::deployment;
using test::service;

Problems problems(const std::string& text) {
  const auto manifests = read_manifest(text, "m.yaml", "/srv");
  return manifests ? Problems() : manifests.error();
}

std::string problem(const std::string& text) {
  const Problems found = problems(text);
  for (std::size_t i = 1; i < found.size(); ++i) ADD_FAILURE() << "also: " << found[i];
  return found.empty() ? "no problem" : found.front();
}

std::string with(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

const std::string kContainer = "spec.template.spec.containers[0]";
const std::string kAnnotations = "spec.template.metadata.annotations";

TEST(ManifestProblems, Annotations) {
  EXPECT_EQ(problem(service("        autoscaling.knative.dev/metric: happiness\n")),
            "m.yaml:9: " + kAnnotations +
                "[autoscaling.knative.dev/metric]: got \"happiness\", expected concurrency or rps");
  EXPECT_EQ(problem(service("        autoscaling.knative.dev/min-scale: \"5\"\n"
                            "        autoscaling.knative.dev/max-scale: \"2\"\n")),
            "m.yaml:9: " + kAnnotations +
                "[autoscaling.knative.dev/min-scale]: got \"5\", expected at most max-scale, which "
                "is 2");
  EXPECT_EQ(problem(service("        autoscaling.knative.dev/window: soon\n")),
            "m.yaml:9: " + kAnnotations +
                "[autoscaling.knative.dev/window]: got \"soon\", expected a duration of whole "
                "seconds in [6s, 1h]");
  EXPECT_EQ(
      problem(service("        autoscaling.knative.dev/min-scale: 1\n")),
      "m.yaml:9: " + kAnnotations +
          "[autoscaling.knative.dev/min-scale]: got 1, expected a string: write it in quotes, "
          "\"1\"");
  EXPECT_EQ(problem(service("        autoscaling.knative.dev/minimum: \"1\"\n")).substr(0, 98),
            "m.yaml:9: " + kAnnotations + "[autoscaling.knative.dev/minimum]: got an unknown anno");
  EXPECT_EQ(problem(service("        pilotlight.dev/hold-permit: always\n")),
            "m.yaml:9: " + kAnnotations +
                "[pilotlight.dev/hold-permit]: got \"always\", expected until-answered or "
                "until-closed");
  EXPECT_EQ(
      problem(service("        pilotlight.dev/timeout-seconds: \"5\"\n")),
      "m.yaml:9: " + kAnnotations +
          "[pilotlight.dev/timeout-seconds]: got an annotation of plain Deployments, expected "
          "the field of spec.template.spec");
  EXPECT_EQ(
      problem(with(service(), "  name: iris\n",
                   "  name: iris\n"
                   "  annotations: {autoscaling.knative.dev/min-scale: \"1\"}\n")),
      "m.yaml:5: metadata.annotations[autoscaling.knative.dev/min-scale]: got an annotation of "
      "a revision, expected it in spec.template.metadata.annotations");
}

TEST(ManifestProblems, Limits) {
  EXPECT_EQ(problem(service("", "      containerConcurrency: -1\n")),
            "m.yaml:9: spec.template.spec.containerConcurrency: got -1, expected an integer in [0, "
            "1000]");
  EXPECT_EQ(problem(service("", "      containerConcurrency: \"4\"\n")),
            "m.yaml:9: spec.template.spec.containerConcurrency: got \"4\", expected an integer in "
            "[0, 1000]");
  EXPECT_EQ(
      problem(service("", "      containerConcurrency: 1.5\n")),
      "m.yaml:9: spec.template.spec.containerConcurrency: got 1.5, expected an integer in [0, "
      "1000]");
  EXPECT_EQ(problem(service("", "      timeoutSeconds: 3601\n")),
            "m.yaml:9: spec.template.spec.timeoutSeconds: got 3601, expected an integer in [1, "
            "3600]");
  EXPECT_EQ(
      problem(service("", "      timeoutSeconds: 10\n      idleTimeoutSeconds: 11\n")),
      "m.yaml:10: spec.template.spec.idleTimeoutSeconds: got 11, expected at most the timeout "
      "of the whole request, which is 10");
  EXPECT_EQ(
      problem(service("", "      responseStartTimeoutSeconds: 301\n")),
      "m.yaml:9: spec.template.spec.responseStartTimeoutSeconds: got 301, expected at most the "
      "timeout of the whole request, which is 300");
}

TEST(ManifestProblems, Containers) {
  EXPECT_EQ(
      problem(service("", "",
                      "          name: one\n"
                      "          ports: [{containerPort: 8080}]\n"
                      "        - name: two\n"
                      "          ports: [{containerPort: 8081}]\n")),
      "m.yaml:9: spec.template.spec.containers: got 2 containers with ports (\"one\", \"two\"), "
      "expected ports in one container only: the one that takes the requests");
  EXPECT_EQ(problem(service("", "", "        - image: helper\n")),
            "m.yaml:9: spec.template.spec.containers: got 2 containers, expected one container: "
            "others beside it are not run here");
  EXPECT_EQ(problem(service("", "", "          ports: [{containerPort: 1}, {containerPort: 2}]\n")),
            "m.yaml:11: " + kContainer +
                ".ports: got 2 ports, expected one port: the one that takes the requests");
  EXPECT_EQ(problem(service("", "", "          ports: [{name: h2c, containerPort: 1}]\n")),
            "m.yaml:11: " + kContainer +
                ".ports[0].name: got \"h2c\", expected http1: HTTP/2 to the app is not supported "
                "yet");
  EXPECT_EQ(
      problem(service("", "", "          envFrom: [{secretRef: {name: s}}]\n")),
      "m.yaml:11: " + kContainer +
          ".envFrom: got a field that is not supported, expected env: there are no ConfigMaps "
          "or Secrets here");
  EXPECT_EQ(
      problem(service("", "",
                      "          env:\n"
                      "            - name: A\n"
                      "              valueFrom: {fieldRef: {fieldPath: status.podIP}}\n")),
      "m.yaml:13: " + kContainer +
          ".env[0].valueFrom: got a field that is not supported, expected value: there are no "
          "ConfigMaps, Secrets or pod fields here");
  EXPECT_EQ(
      problem(service("", "", "          env: [{name: A, value: 1}]\n")),
      "m.yaml:11: " + kContainer + ".env[0].value: got 1, expected a string: write it in quotes");
  EXPECT_EQ(problem(service("", "", "          command: serve\n")),
            "m.yaml:11: " + kContainer + ".command: got \"serve\", expected a list");
  EXPECT_EQ(problem(service("", "", "          args: [--port, 80]\n")),
            "m.yaml:11: " + kContainer + ".args[1]: got 80, expected a string: write it in quotes");
  EXPECT_EQ(problem(service("", "      volumes: [{name: v, configMap: {name: c}}]\n")),
            "m.yaml:9: spec.template.spec.volumes[0].configMap: got a volume of type configMap, "
            "expected emptyDir");
  EXPECT_EQ(problem(service("", "      initContainers: [{name: i}]\n")),
            "m.yaml:9: spec.template.spec.initContainers: got a field that is not supported, "
            "expected none: they are not run here");
}

TEST(ManifestProblems, Probes) {
  const auto probe = [](const std::string& text) {
    return problem(service("", "", "          readinessProbe: " + text + "\n"));
  };
  const std::string at = "m.yaml:11: " + kContainer + ".readinessProbe";
  EXPECT_EQ(probe("{grpc: {port: 1}}"),
            at + ".grpc: got a field that is not supported, expected httpGet, tcpSocket or exec");
  EXPECT_EQ(probe("{httpGet: {scheme: FTP}}"),
            at + ".httpGet.scheme: got \"FTP\", expected HTTP or HTTPS");
  EXPECT_EQ(probe("{httpGet: {port: web}}"),
            at + ".httpGet.port: got \"web\", expected a number, or the name of one of the "
                 "container's ports");
  EXPECT_EQ(probe("{httpGet: {}, tcpSocket: {}}"),
            at + ": got 2 handlers, expected one of httpGet, tcpSocket and exec");
  EXPECT_EQ(probe("{tcpSocket: {port: 70000}}"),
            at + ".tcpSocket.port: got 70000, expected an integer in [0, 65535]");
  EXPECT_EQ(probe("{periodSeconds: 1s}"),
            at + ".periodSeconds: got \"1s\", expected an integer in [0, 3600]");
}

TEST(ManifestProblems, FieldsAndKinds) {
  EXPECT_EQ(
      problem(service("", "      containerConcurency: 4\n")).substr(0, 98),
      "m.yaml:9: spec.template.spec.containerConcurency: got an unknown field, expected one of "
      "affinity, ");
  EXPECT_EQ(problem(with(service(), "kind: Service", "kind: Servcie")),
            "m.yaml:2: kind: got \"Servcie\", expected Service (serving.knative.dev/v1) or "
            "Deployment (apps/v1)");
  EXPECT_EQ(problem(with(service(), "serving.knative.dev/v1", "v1")),
            "m.yaml:1: apiVersion: got \"v1\", expected serving.knative.dev/v1 for a Service");
  EXPECT_EQ(problems("a: b\n"),
            (Problems{"m.yaml:1: kind: got nothing, expected Service (serving.knative.dev/v1) or "
                      "Deployment (apps/v1)",
                      "m.yaml:1: apiVersion: got nothing, expected serving.knative.dev/v1 or "
                      "apps/v1"}));
  EXPECT_EQ(problem("just text\n"), "m.yaml:1: got \"just text\", expected an object");
  EXPECT_EQ(problem("# nothing\n"), "m.yaml: got no document, expected a Service or a Deployment");
  EXPECT_EQ(problem(with(service(), "name: iris", "name: Iris")),
            "m.yaml:4: metadata.name: got \"Iris\", expected at most 49 lower-case letters, digits "
            "and \"-\", beginning and ending with a letter or digit");
  EXPECT_EQ(problem(with(service(), "name: iris", "name: 7")),
            "m.yaml:4: metadata.name: got 7, expected a string: write it in quotes");
  EXPECT_EQ(problem("apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: a}\n"),
            "m.yaml:1: spec.template: got nothing, expected a template");
  EXPECT_EQ(problem(service() + "  traffic: [{latestRevision: true, percent: 50}]\n"),
            "m.yaml:12: spec.traffic[0]: got a share of the traffic, expected all of it to the "
            "latest revision: a manifest has one revision here");
}

TEST(ManifestProblems, YamlErrorsHaveLineAndColumn) {
  EXPECT_EQ(problem("kind: [Service\nmetadata: {}\n").substr(0, 55),
            "m.yaml:2: got text that is not YAML (line 2, column 9: ");
}

TEST(ManifestProblems, PlainDeployments) {
  EXPECT_EQ(problem(with(deployment(), "  labels: {pilotlight.dev/inject: \"true\"}\n", "")),
            "m.yaml:3: metadata.labels[pilotlight.dev/inject]: got nothing, expected \"true\": a "
            "Deployment asks for the sidecar by this label, here and in "
            "spec.template.metadata.labels");
  EXPECT_EQ(
      problem(with(deployment(), "{app: iris, pilotlight.dev/inject: \"true\"}",
                   "{app: iris, pilotlight.dev/inject: \"yes\"}")),
      "m.yaml:11: spec.template.metadata.labels[pilotlight.dev/inject]: got \"yes\", expected "
      "\"true\": a Deployment asks for the sidecar by this label, here and in "
      "spec.template.metadata.labels");
  EXPECT_EQ(problem(with(deployment(), "matchLabels: {app: iris}", "matchLabels: {app: rose}")),
            "m.yaml:8: spec.selector.matchLabels.app: got \"rose\", expected \"iris\" as in the "
            "template");
  EXPECT_EQ(problem(deployment("", "        pilotlight.dev/container-concurrency: \"many\"\n")),
            "m.yaml:13: " + kAnnotations +
                "[pilotlight.dev/container-concurrency]: got \"many\", expected an integer in [0, "
                "1000]");
  EXPECT_EQ(
      problem(deployment("", "        autoscaling.knative.dev/min-scale: \"1\"\n")),
      "m.yaml:13: " + kAnnotations +
          "[autoscaling.knative.dev/min-scale]: got an annotation of the Deployment, expected "
          "it in metadata.annotations");
  EXPECT_EQ(problem(deployment("  annotations: {pilotlight.dev/hold-permit: until-answered}\n")),
            "m.yaml:6: metadata.annotations[pilotlight.dev/hold-permit]: got an annotation of the "
            "pods, expected it in spec.template.metadata.annotations");
  EXPECT_EQ(problem(deployment("", "        pilotlight.dev/holdpermit: x\n")),
            "m.yaml:13: " + kAnnotations +
                "[pilotlight.dev/holdpermit]: got an unknown annotation, expected "
                "pilotlight.dev/<one of container-concurrency, timeout-seconds, "
                "response-start-timeout-seconds, idle-timeout-seconds, hold-permit>");
}

TEST(ManifestProblems, AllAtOnce) {
  EXPECT_EQ(problems(service("        autoscaling.knative.dev/window: soon\n",
                             "      containerConcurrency: -1\n", "          comand: [x]\n"))
                .size(),
            3U);
}

class ManifestFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const char* file) { return (folder_ / file).string(); }
  void write(const char* file, const std::string& text) { std::ofstream(folder_ / file) << text; }

  const std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) / "manifest_problems_test";
};

TEST_F(ManifestFiles, ANameTwiceNamesBothFiles) {
  write("a.yaml", service());
  write("b.yaml", deployment());
  const auto manifests = load_manifests({folder_.string()});
  ASSERT_FALSE(manifests);
  EXPECT_EQ(manifests.error(),
            Problems{path("b.yaml") +
                     ":4: metadata.name: got \"iris\" again in namespace default, "
                     "expected another name than in " +
                     path("a.yaml") + ":4"});
}

TEST_F(ManifestFiles, WhatIsNotThereIsNamed) {
  const auto manifests = load_manifests({path("absent.yaml"), folder_.string()});
  ASSERT_FALSE(manifests);
  EXPECT_EQ(manifests.error(),
            (Problems{path("absent.yaml") + ": got nothing there, expected a file or a directory",
                      folder_.string() + ": got a directory without manifests, expected *.yaml, "
                                         "*.yml or *.json files in it"}));
}

TEST_F(ManifestFiles, NoPathIsAProblem) { EXPECT_FALSE(load_manifests({})); }

TEST_F(ManifestFiles, OneBadFileAmongGoodOnesIsEnough) {
  write("a.yaml", service());
  write("b.yaml", "kind: Pod\napiVersion: v1\n");
  const auto manifests = load_manifests({folder_.string()});
  ASSERT_FALSE(manifests);
  EXPECT_EQ(manifests.error().size(), 1U);
}

TEST(RunnableLocally, ACommandIsNeededAndSomeNamesAreOurs) {
  const auto manifests = read_manifest(
      service("", "", "          env: [{name: PORT, value: \"1\"}]\n"), "m.yaml", "/srv");
  ASSERT_TRUE(manifests) << "on a cluster the image suffices";
  EXPECT_EQ(
      check_runnable_locally(manifests->revisions[0]),
      (Problems{"m.yaml:10: " + kContainer +
                    ".command: got nothing, expected a command: a container runs as a process "
                    "on this machine, its image is not used",
                "m.yaml:10: " + kContainer +
                    ".env[0].name: got \"PORT\", expected another name: every replica is "
                    "given its own PORT"}));
}

}  // namespace
}  // namespace pilotlight::config
