#include "local/pod_launch.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "config/manifest.h"

namespace pilotlight::local {
namespace {

constexpr const char* kManifest = R"yaml(apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: echo
spec:
  template:
    spec:
      containerConcurrency: 4
      containers:
        - image: echo
          command: ["server", "--port=$(PORT)"]
          args: ["--metrics", "$(PORT_1)", "$(UNKNOWN)"]
          env:
            - name: NAME
              value: "$(K_REVISION) at $(POD_IP)"
)yaml";

struct PodLaunchTest : testing::Test {
  kube::Json deployment;
  kube::Json pod;
  LaunchSettings settings;
  LaunchFacts facts;

  PodLaunchTest() {
    const auto manifests = config::read_manifest(kManifest, "echo.yaml", "/manifests");
    EXPECT_TRUE(manifests);
    deployment = config::to_deployment(manifests->revisions.at(0));
    pod = deployment["spec"]["template"];
    pod["metadata"]["name"] = "echo-00001-deployment-abcde";
    pod["metadata"]["namespace"] = "default";
    settings.proxy_program = "/programs/pilotlight-proxy";
    settings.program_folder = "/programs";
    settings.environment = {{"PATH", "/bin"}, {"HOME", "/home/me"}};
    settings.autoscaler = "127.7.7.3:9444";
    settings.token_file = "/state/token";
    settings.logs = "/state/logs";
    facts.address = "127.7.7.10";
    facts.app_ports = {20000, 20001, 20002, 20003};
  }

  static bool has(const ProcessSpec& process, const std::string& entry) {
    return std::find(process.env.begin(), process.env.end(), entry) != process.env.end();
  }
};

TEST_F(PodLaunchTest, TheAppGetsItsPortsAndIdentityOverTheInheritedEnvironment) {
  const auto spec = plan_replica(pod, deployment, settings, facts);
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->app.argv, (std::vector<std::string>{"server", "--port=20000", "--metrics",
                                                      "20001", "$(UNKNOWN)"}));
  EXPECT_EQ(spec->app.directory, "/manifests");
  for (const char* entry :
       {"HOME=/home/me", "PATH=/bin:/programs", "PORT=20000", "PORT_3=20003", "POD_IP=127.7.7.10",
        "K_SERVICE=echo", "K_REVISION=echo-00001", "NAME=echo-00001 at 127.7.7.10"}) {
    EXPECT_TRUE(has(spec->app, entry)) << entry;
  }
}

TEST_F(PodLaunchTest, TheSidecarGetsItsOwnEnvironmentOnly) {
  const auto spec = plan_replica(pod, deployment, settings, facts);
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->sidecar.argv, std::vector<std::string>{"/programs/pilotlight-proxy"});
  for (const char* entry :
       {"CONTAINER_CONCURRENCY=4", "USER_PORT=20000", "QUEUE_SERVING_PORT=8012",
        "SERVING_POD=echo-00001-deployment-abcde", "PILOTLIGHT_LISTEN_ADDRESS=127.7.7.10",
        "PILOTLIGHT_AUTOSCALER=127.7.7.3:9444", "PILOTLIGHT_TOKEN_FILE=/state/token"}) {
    EXPECT_TRUE(has(spec->sidecar, entry)) << entry;
  }
  EXPECT_FALSE(has(spec->sidecar, "HOME=/home/me"));
  EXPECT_EQ(spec->probe.address().to_string(), "127.7.7.10");
  EXPECT_EQ(spec->app_log, "/state/logs/echo-00001-deployment-abcde.app.log");
}

TEST_F(PodLaunchTest, ItsOwnWorkingDirectoryWins) {
  pod["spec"]["containers"][0]["workingDir"] = "/elsewhere";
  EXPECT_EQ(plan_replica(pod, deployment, settings, facts)->app.directory, "/elsewhere");
}

TEST_F(PodLaunchTest, AContainerWithoutACommandCannotBeAProcess) {
  pod["spec"]["containers"][0].erase("command");
  const auto spec = plan_replica(pod, deployment, settings, facts);
  ASSERT_FALSE(spec);
  EXPECT_NE(spec.error().at(0).find("expected a command"), std::string::npos) << spec.error()[0];
}

}  // namespace
}  // namespace pilotlight::local
