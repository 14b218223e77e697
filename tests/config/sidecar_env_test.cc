#include "config/sidecar_env.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "config/proxy_config.h"

namespace pilotlight::config {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

json probe(const char* written, std::vector<ContainerPort> ports = {}) {
  Container container;
  container.readiness_probe = json::parse(written);
  container.ports = std::move(ports);
  return json::parse(sidecar_probe(container, 31000));
}

TEST(SidecarProbe, IsRewrittenAsKnativesControllerDoes) {
  const json tcp =
      json::parse(R"({"tcpSocket":{"port":31000,"host":"127.0.0.1"},"successThreshold":1})");
  EXPECT_EQ(probe("null"), tcp);
  EXPECT_EQ(probe("{}"), tcp);
  EXPECT_EQ(probe(R"({"exec":{"command":["true"]}})"), tcp);
  EXPECT_EQ(probe(R"({"tcpSocket":{"host":"example.com"}})"), tcp);
  EXPECT_EQ(probe(R"({"httpGet":{"path":"/r"},"periodSeconds":5,"initialDelaySeconds":3})"),
            json::parse(R"({"httpGet":{"path":"/r","port":31000,"host":"127.0.0.1","scheme":"HTTP"},
                            "periodSeconds":5,"timeoutSeconds":1,"successThreshold":1,
                            "initialDelaySeconds":3})"));
}

TEST(SidecarProbe, TheDeclaredPortIsTheOneTheAppWasGiven) {
  const auto port = [](const char* text, std::vector<ContainerPort> ports) {
    return probe(text, std::move(ports))["tcpSocket"]["port"].get<int>();
  };
  EXPECT_EQ(port(R"({"tcpSocket":{"port":8080}})", {}), 31000) << "Knative's default port";
  EXPECT_EQ(port(R"({"tcpSocket":{"port":9000}})", {{"http", 9000}}), 31000);
  EXPECT_EQ(port(R"({"tcpSocket":{"port":"http"}})", {{"http", 9000}}), 31000);
  EXPECT_EQ(port(R"({"tcpSocket":{"port":"9000"}})", {{"http", 9000}}), 31000);
  EXPECT_EQ(port(R"({"tcpSocket":{"port":"grpc"}})", {{"http", 9000}, {"grpc", 9001}}), 9001);
  EXPECT_EQ(port(R"({"tcpSocket":{"port":9009}})", {{"http", 9000}}), 9009);
  EXPECT_EQ(port(R"({"tcpSocket":{"port":"missing"}})", {}), 31000);
}

TEST(SidecarEnv, IsWhatTheSidecarReads) {
  DeploymentView view;
  view.name_space = "models";
  view.service = "iris";
  view.revision = "iris-00001";
  view.container_concurrency = 3;
  view.timeout = 60s;
  view.idle_timeout = 20s;
  view.hold_permit_until_answered = true;
  PodFacts pod;
  pod.name = "iris-x";
  pod.ip = "127.9.9.10";
  pod.user_port = 31000;
  pod.autoscaler = "127.9.9.3:9444";
  pod.listen_address = "127.9.9.10";
  pod.stats_listen = "127.9.9.10:9091";
  pod.log_level = "warn";
  const std::vector<EnvVar> env = sidecar_env(view, Container(), pod);
  const auto config = load_proxy_config([&](const std::string& name) -> std::optional<std::string> {
    const auto same = [&](const EnvVar& variable) { return variable.name == name; };
    const auto found = std::find_if(env.begin(), env.end(), same);
    if (found == env.end()) return std::nullopt;
    return found->value;
  });
  ASSERT_TRUE(config) << config.error().front();
  EXPECT_EQ(config->container_concurrency, 3U);
  EXPECT_EQ(config->revision_timeout, 60s);
  EXPECT_EQ(config->idle_timeout, 20s);
  EXPECT_FALSE(config->response_start_timeout);
  EXPECT_TRUE(config->hold_permit_until_answered);
  EXPECT_EQ(config->serving_namespace, "models");
  EXPECT_EQ(config->serving_revision, "iris-00001");
  EXPECT_EQ(config->serving_pod, "iris-x");
  EXPECT_EQ(config->user_port, 31000);
  ASSERT_EQ(config->probes.size(), 1U);
  EXPECT_EQ(config->probes[0].port, 31000);
  EXPECT_EQ(config->autoscaler->port(), 9444);
  EXPECT_EQ(config->admin_listen.address().to_string(), "127.9.9.10");
  EXPECT_EQ(config->stats_listen.port(), 9091);
  EXPECT_EQ(config->log_level, "warn");
}

}  // namespace
}  // namespace pilotlight::config
