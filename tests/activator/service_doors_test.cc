#include "activator/service_doors.h"

#include <gtest/gtest.h>

namespace pilotlight::activator {
namespace {

using kube::Json;

config::DeploymentView deployment(const std::string& name, config::StringMap labels,
                                  const std::string& name_space = "team") {
  config::DeploymentView view;
  view.name_space = name_space;
  view.deployment_name = view.service = view.revision = name;
  view.template_labels = std::move(labels);
  return view;
}

Json service(const std::string& name, const std::string& port, const std::string& state = "true",
             const std::string& selector = R"({"app": "iris"})") {
  Json out;
  out["metadata"] = {{"name", name}, {"namespace", "team"}};
  if (!state.empty()) out["metadata"]["labels"]["pilotlight.dev/managed"] = state;
  out["metadata"]["annotations"]["pilotlight.dev/activator-port"] = port;
  out["metadata"]["annotations"]["pilotlight.dev/original-selector"] = selector;
  return out;
}

using Map = Doors;

TEST(ServiceDoors, AManagedServiceLeadsToTheDeploymentWhosePodsItSelects) {
  ServiceDoors doors;
  EXPECT_TRUE(doors.deployment_applied(deployment("iris", {{"app", "iris"}, {"tier", "a"}})));
  EXPECT_TRUE(doors.service_applied(service("web", "20001")));
  EXPECT_EQ(doors.doors(), (Map{{20001, "team/iris"}}));
  EXPECT_TRUE(doors.leads_to("team", "iris"));
  EXPECT_FALSE(doors.leads_to("team", "rose"));
  EXPECT_FALSE(doors.leads_to("other", "iris"));
  EXPECT_FALSE(doors.service_applied(service("web", "20001")));
  EXPECT_FALSE(doors.deployment_applied(deployment("iris", {{"app", "iris"}, {"tier", "a"}})));
}

TEST(ServiceDoors, WhatComesFirstDoesNotMatter) {
  ServiceDoors doors;
  EXPECT_TRUE(doors.service_applied(service("web", "20001")));
  EXPECT_TRUE(doors.doors().empty());
  EXPECT_TRUE(doors.deployment_applied(deployment("iris", {{"app", "iris"}})));
  EXPECT_EQ(doors.doors(), (Map{{20001, "team/iris"}}));
}

TEST(ServiceDoors, OneInPreparationIsOpenAlreadyAndStillHasItsSelector) {
  ServiceDoors doors;
  static_cast<void>(doors.deployment_applied(deployment("iris", {{"app", "iris"}})));
  Json preparing = service("web", "20001", "preparing");
  preparing["metadata"]["annotations"].erase("pilotlight.dev/original-selector");
  preparing["spec"]["selector"] = {{"app", "iris"}};
  EXPECT_TRUE(doors.service_applied(preparing));
  EXPECT_EQ(doors.doors(), (Map{{20001, "team/iris"}}));
}

TEST(ServiceDoors, NoDoorWithoutLabelPortOrOneDeployment) {
  ServiceDoors doors;
  static_cast<void>(doors.deployment_applied(deployment("iris", {{"app", "iris"}})));
  for (const char* port : {"", "x", "80", "30000", "19999", "200010", "-20001"}) {
    EXPECT_FALSE(doors.service_applied(service("web", port))) << port;
  }
  EXPECT_FALSE(doors.service_applied(service("web", "20001", "")));
  static_cast<void>(doors.service_applied(service("web", "20001", "true", "{}")));
  static_cast<void>(doors.service_applied(service("bad", "20002", "true", "no JSON")));
  EXPECT_TRUE(doors.doors().empty());
  static_cast<void>(doors.service_applied(service("web", "20001")));
  EXPECT_TRUE(doors.deployment_applied(deployment("canary", {{"app", "iris"}})));
  EXPECT_TRUE(doors.doors().empty()) << "two Deployments: whose requests they are nobody can say";
  EXPECT_TRUE(doors.deployment_removed("team", "canary"));
  EXPECT_EQ(doors.doors(), (Map{{20001, "team/iris"}}));
}

TEST(ServiceDoors, ADeploymentOnItsWayOutDoesNotCount) {
  ServiceDoors doors;
  static_cast<void>(doors.deployment_applied(deployment("iris", {{"app", "iris"}})));
  static_cast<void>(doors.service_applied(service("web", "20001")));
  config::DeploymentView going = deployment("canary", {{"app", "iris"}});
  going.deleting = true;
  EXPECT_FALSE(doors.deployment_applied(going));
  EXPECT_EQ(doors.doors(), (Map{{20001, "team/iris"}}));
  going = deployment("iris", {{"app", "iris"}});
  going.deleting = true;
  EXPECT_TRUE(doors.deployment_applied(going));
  EXPECT_TRUE(doors.doors().empty());
  EXPECT_FALSE(doors.leads_to("team", "iris"));
}

TEST(ServiceDoors, NamespacesDoNotMix) {
  ServiceDoors doors;
  static_cast<void>(doors.deployment_applied(deployment("iris", {{"app", "iris"}}, "other")));
  static_cast<void>(doors.service_applied(service("web", "20001")));
  EXPECT_TRUE(doors.doors().empty());
}

TEST(ServiceDoors, OfTwoThatClaimAPortTheFirstByNameHasIt) {
  ServiceDoors doors;
  static_cast<void>(doors.deployment_applied(deployment("iris", {{"app", "iris"}})));
  static_cast<void>(doors.deployment_applied(deployment("rose", {{"app", "rose"}})));
  static_cast<void>(doors.service_applied(service("b", "20001")));
  EXPECT_TRUE(doors.service_applied(service("a", "20001", "true", R"({"app": "rose"})")));
  EXPECT_EQ(doors.doors(), (Map{{20001, "team/rose"}}));
  EXPECT_TRUE(doors.service_removed(service("a", "20001")));
  EXPECT_EQ(doors.doors(), (Map{{20001, "team/iris"}}));
}

TEST(ServiceDoors, ChangedLabelsAndSelectorsAreFollowed) {
  ServiceDoors doors;
  static_cast<void>(doors.deployment_applied(deployment("iris", {{"app", "iris"}})));
  static_cast<void>(doors.service_applied(service("web", "20001")));
  EXPECT_TRUE(doors.deployment_applied(deployment("iris", {{"app", "other"}})));
  EXPECT_TRUE(doors.doors().empty());
  EXPECT_TRUE(doors.service_applied(service("web", "20001", "true", R"({"app": "other"})")));
  EXPECT_EQ(doors.doors(), (Map{{20001, "team/iris"}}));
}

}  // namespace
}  // namespace pilotlight::activator
