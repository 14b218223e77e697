#include "local/status.h"

#include <gtest/gtest.h>

#include "config/manifest.h"

namespace pilotlight::local {
namespace {

using kube::Json;

TEST(StateName, FollowsWhatIsWantedAndWhatIsThere) {
  EXPECT_STREQ(state_name(0, 0, 0, 0, false), "asleep");
  EXPECT_STREQ(state_name(0, 0, 1, 0, false), "waking");
  EXPECT_STREQ(state_name(1, 0, 1, 1, false), "waking");
  EXPECT_STREQ(state_name(1, 0, 1, 1, true), "failing");
  EXPECT_STREQ(state_name(2, 1, 0, 2, true), "awake");
  EXPECT_STREQ(state_name(0, 1, 0, 1, false), "draining");
  EXPECT_STREQ(state_name(0, 0, 0, 1, false), "draining");
}

Json a_deployment() {
  const auto manifests = config::read_manifest(
      "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: echo}\nspec:\n"
      "  template:\n    spec:\n      containers:\n        - {image: e, command: [echo-server]}\n",
      "echo.yaml", "/");
  EXPECT_TRUE(manifests);
  Json deployment = config::to_deployment(manifests->revisions.at(0));
  deployment["metadata"]["uid"] = "u1";
  deployment["spec"]["replicas"] = 1;
  return deployment;
}

StatusInputs inputs() {
  StatusInputs in;
  in.deployments.push_back(a_deployment());
  Json pod;
  pod["metadata"]["name"] = "echo-1";
  pod["metadata"]["ownerReferences"] = Json::array();
  pod["metadata"]["ownerReferences"].push_back(Json{{"uid", "u1"}, {"name", "d"}});
  pod["status"]["podIP"] = "127.1.2.10";
  in.pods.push_back(pod);
  in.urls["default/echo"] = {"http://echo.default.localhost:1"};
  in.facts = [](const std::string&, const std::string&) {
    std::optional<StatusInputs::Facts> facts;
    facts.emplace();
    facts->replica.state = ReplicaFacts::State::running;
    facts->replica.ready = true;
    facts->replica.app_pid = 10;
    facts->replica.sidecar_pid = 11;
    return facts;
  };
  return in;
}

TEST(Status, PutsThreeViewsOfARevisionTogether) {
  StatusInputs in = inputs();
  const Json routed{{"namespace", "default"},
                    {"revision", "echo-00001"},
                    {"parked", 2},
                    {"in_flight", 3},
                    {"requests_per_second", 1.5}};
  const Json scaled{{"namespace", "default"},
                    {"revision", "echo-00001"},
                    {"wakes", 7},
                    {"cause", "the API does not take 2 replicas"}};
  in.activator["revisions"] = Json::array();
  in.activator["revisions"].push_back(routed);
  in.autoscaler["revisions"] = Json::array();
  in.autoscaler["revisions"].push_back(scaled);
  const Json service = compose_status(in)["services"].at(0);
  EXPECT_EQ(service["name"], "echo");
  EXPECT_EQ(service["state"], "awake");
  EXPECT_EQ(service["ready"], 1);
  EXPECT_EQ(service["parked"], 2);
  EXPECT_EQ(service["in_flight"], 3);
  EXPECT_EQ(service["requests_per_second"], 1.5);
  EXPECT_EQ(service["wakes"], 7);
  EXPECT_EQ(service["cause"], "the API does not take 2 replicas");
  EXPECT_TRUE(service["left_alone_to"].is_null());
  EXPECT_EQ(service["replicas"][0]["app_pid"], 10);
  EXPECT_EQ(service["replicas"][0]["state"], "ready");
  EXPECT_EQ(service["urls"][0], "http://echo.default.localhost:1");
}

TEST(Status, StandsWithoutActivatorAndAutoscaler) {
  const Json service = compose_status(inputs())["services"].at(0);
  for (const char* untold :
       {"parked", "in_flight", "requests_per_second", "wakes", "left_alone_to", "cause"}) {
    EXPECT_TRUE(service[untold].is_null()) << untold << ": nobody has said so";
  }
  EXPECT_EQ(service["decisions"], Json::array());
}

TEST(Status, DeploymentsThatAreNotOursAreNotShown) {
  StatusInputs in = inputs();
  in.deployments[0]["metadata"]["labels"].erase("pilotlight.dev/inject");
  EXPECT_EQ(compose_status(in)["services"], Json::array());
}

TEST(Status, TheTableHasARowPerServiceAndPerReplica) {
  const std::string table = status_table(compose_status(inputs()));
  EXPECT_NE(table.find("default/echo"), std::string::npos) << table;
  EXPECT_NE(table.find("echo-1"), std::string::npos) << table;
  EXPECT_NE(table.find("http://echo.default.localhost:1"), std::string::npos) << table;
}

}  // namespace
}  // namespace pilotlight::local
