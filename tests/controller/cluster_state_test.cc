#include "controller/cluster_state.h"

#include <gtest/gtest.h>

#include "controller/admission.h"

namespace pilotlight::controller {
namespace {

const Key kFlower("team", "flower");
const Key kIris("team", "iris");

Json deployment(const char* name = "iris", const char* app = "iris") {
  Json out = Json::parse(
      R"({"metadata":{"namespace":"team","uid":"d-1","labels":{"pilotlight.dev/inject":"true"}},
          "spec":{"template":{"spec":{"containers":[{"name":"m","ports":[
                                {"containerPort":8000}]}]}}}})");
  out["metadata"]["name"] = name;
  out["spec"]["template"]["metadata"]["labels"] = {{"app", app}};
  return out;
}

Json service(const char* name = "flower", const char* port = "") {
  Json out = Json::parse(
      R"({"metadata":{"namespace":"team","uid":"s-1"},
          "spec":{"clusterIP":"10.96.0.9","selector":{"app":"iris"},
                  "ports":[{"port":80,"targetPort":8000}]}})");
  out["metadata"]["name"] = name;
  if (*port != '\0') {
    out["metadata"]["annotations"][kPortAnnotation] = port;
    out["metadata"]["labels"][kManagedLabel] = kTaken;
  }
  return out;
}

Json slice(const char* space, const char* of, const char* ip, bool ready = true) {
  Json out = {{"metadata", {{"namespace", space}, {"name", std::string(of) + "-1"}}}};
  out["metadata"]["labels"] = {{"kubernetes.io/service-name", of}};
  out["addressType"] = "IPv4";
  Json endpoint = {{"addresses", Json::array({ip})}, {"conditions", {{"ready", ready}}}};
  endpoint["targetRef"] = {{"kind", "Pod"}, {"name", "p"}};
  out["endpoints"] = Json::array({std::move(endpoint)});
  return out;
}

class StateTest : public testing::Test {
 protected:
  StateTest() {
    (void)state.applied(kube::kDeployments, deployment());
    (void)state.applied(kube::kServices, service());
    (void)state.applied(kube::kEndpointSlices, slice("system", "activator", "10.0.0.2"));
    (void)state.applied(kube::kEndpointSlices, slice("team", "iris-private", "10.0.1.1"));
  }
  ClusterState state{Key("system", "activator")};
};

TEST_F(StateTest, FactsAreWhatBelongsToTheService) {
  (void)state.applied(kube::kEndpointSlices, slice("team", "flower", "10.0.1.9"));
  (void)state.applied(kube::kEndpointSlices, slice("other", "flower", "10.0.9.9"));
  const auto facts = state.facts(kFlower);
  ASSERT_TRUE(facts);
  ASSERT_NE(facts->deployment, nullptr);
  EXPECT_EQ(kube::name_of(*facts->deployment), "iris");
  EXPECT_EQ(facts->slices.size(), 1U);
  ASSERT_EQ(facts->activators.size(), 1U);
  EXPECT_EQ(facts->activators[0].ip, "10.0.0.2");
  EXPECT_TRUE(facts->activators[0].target.is_null()) << "a pod of another namespace";
  ASSERT_EQ(facts->pods.size(), 1U);
  EXPECT_EQ(facts->pods[0].target["name"], "p");
  EXPECT_EQ(facts->path, Path::proxy);
  EXPECT_NE(facts->free_port, 0);
  EXPECT_FALSE(state.facts(Key("team", "nobody")));
}

TEST_F(StateTest, ActivatorsThatAreNotReadyDoNotCount) {
  (void)state.applied(kube::kEndpointSlices, slice("system", "activator", "10.0.0.2", false));
  EXPECT_TRUE(state.facts(kFlower)->activators.empty());
  EXPECT_TRUE(state.activators().empty());
}

TEST_F(StateTest, OnlyAddressesOfTheServicesOwnFamilyLeadAnywhere) {
  Json six = slice("system", "activator", "fd00::2");
  six["metadata"]["name"] = "activator-6";
  six["addressType"] = "IPv6";
  const auto touched = state.applied(kube::kEndpointSlices, six);
  EXPECT_TRUE(touched.services.contains(kFlower)) << "it may have been left alone without";
  EXPECT_FALSE(touched.services.contains(Key("team", "other")));
  EXPECT_EQ(state.facts(kFlower)->families, (std::set<std::string>{"IPv4", "IPv6"}));
  EXPECT_EQ(state.facts(kFlower)->activators.size(), 2U) << "it does not say";
  Json front = service();
  front["spec"]["ipFamilies"] = Json::array({"IPv6"});
  (void)state.applied(kube::kServices, front);
  const auto facts = state.facts(kFlower);
  ASSERT_EQ(facts->activators.size(), 1U);
  EXPECT_EQ(facts->activators[0].ip, "fd00::2");
  EXPECT_TRUE(facts->pods.empty()) << "IPv4 ones";
  six["endpoints"] = Json::array();
  (void)state.applied(kube::kEndpointSlices, six);
  EXPECT_TRUE(state.facts(kFlower)->families.contains("IPv6")) << "whether they are ready or not";
}

TEST_F(StateTest, OfTheActivatorsFamiliesThoseCountInWhichPodsAreKnown) {
  Json six = slice("system", "activator", "fd00::2");
  six["metadata"]["name"] = "activator-6";
  six["addressType"] = "IPv6";
  (void)state.applied(kube::kEndpointSlices, six);
  Json hidden = service("iris-private");
  hidden["spec"]["ipFamilies"] = Json::array({"IPv4"});
  (void)state.applied(kube::kServices, hidden);
  EXPECT_EQ(state.facts(kFlower)->families, std::set<std::string>{"IPv4"});
}

TEST_F(StateTest, ThePrivateServiceSaysWhichPathToTake) {
  Json hidden = service("iris-private");
  hidden["spec"]["selector"] = {{"serving.knative.dev/revision", "iris"}};
  hidden["metadata"]["labels"][kPrivateLabel] = "true";
  hidden["metadata"]["annotations"][kPathAnnotation] = "serve";
  const auto touched = state.applied(kube::kServices, hidden);
  EXPECT_TRUE(touched.deployments.contains(kIris));
  EXPECT_EQ(state.facts(kFlower)->path, Path::serve);
  EXPECT_NE(state.private_facts(kIris).service, nullptr);
  (void)state.removed(kube::kServices, hidden);
  EXPECT_EQ(state.facts(kFlower)->path, Path::proxy);
}

TEST_F(StateTest, SomebodyElsesServiceWithThePrivateNameIsKnownAsSuch) {
  const Key key("team", "iris-private");
  (void)state.applied(kube::kServices, service("iris-private"));
  EXPECT_TRUE(state.facts(key)->has_private_name);
  EXPECT_TRUE(state.facts(kFlower)->private_name_taken);
  Json ours = service("iris-private");
  ours["metadata"]["labels"][kPrivateLabel] = "true";
  EXPECT_TRUE(state.applied(kube::kServices, ours).services.contains(kFlower));
  EXPECT_FALSE(state.facts(key)->has_private_name);
  EXPECT_FALSE(state.facts(kFlower)->private_name_taken);
  (void)state.applied(kube::kServices, service("iris-private"));
  EXPECT_TRUE(state.removed(kube::kDeployments, deployment()).services.contains(key));
  EXPECT_FALSE(state.facts(key)->has_private_name) << "a name like any other";
}

TEST_F(StateTest, APortBelongsToTheFirstServiceThatHasIt) {
  (void)state.applied(kube::kServices, service("flower", "20001"));
  (void)state.applied(kube::kServices, service("rose", "20001"));
  EXPECT_EQ(port_of(state.facts(kFlower)->service), 20001);
  const auto second = state.facts(Key("team", "rose"));
  EXPECT_EQ(port_of(second->service), 0) << "it gets another one";
  EXPECT_NE(second->free_port, 20001);
}

TEST_F(StateTest, PodsOfTwoDeploymentsAreNobodys) {
  (void)state.applied(kube::kDeployments, deployment("iris-canary"));
  const auto facts = state.facts(kFlower);
  EXPECT_EQ(facts->deployment, nullptr);
  EXPECT_TRUE(facts->several_deployments);
}

TEST_F(StateTest, ADeploymentOnItsWayOutOrWithoutTheLabelDoesNotCount) {
  Json going = deployment();
  going["metadata"]["deletionTimestamp"] = "2026-11-25T00:00:00Z";
  EXPECT_TRUE(state.applied(kube::kDeployments, going).services.contains(kFlower));
  EXPECT_EQ(state.facts(kFlower)->deployment, nullptr);
  EXPECT_EQ(state.private_facts(kIris).deployment, nullptr);
  (void)state.applied(kube::kDeployments, deployment());
  ASSERT_NE(state.facts(kFlower)->deployment, nullptr);
  Json plain = deployment();
  plain["metadata"].erase("labels");
  EXPECT_TRUE(state.applied(kube::kDeployments, plain).services.contains(kFlower));
  EXPECT_EQ(state.facts(kFlower)->deployment, nullptr);
}

TEST_F(StateTest, WhatIsTouchedIsWhatMayChange) {
  const Key other("team", "other");
  Json apart = service("other");
  apart["spec"]["selector"] = {{"app", "other"}};
  EXPECT_EQ(state.applied(kube::kServices, apart).services, std::set<Key>{other});
  Json changed = deployment();
  changed["spec"]["template"]["metadata"]["labels"]["tier"] = "web";
  EXPECT_EQ(state.applied(kube::kDeployments, changed).services, std::set<Key>{kFlower})
      << "there is no private Service yet";
  const auto pods = state.applied(kube::kEndpointSlices, slice("team", "iris-private", "10.0.1.2"));
  EXPECT_TRUE(pods.services.contains(kFlower));
  EXPECT_FALSE(pods.services.contains(other));
  (void)state.applied(kube::kServices, service("flower", "20001"));
  const auto activators =
      state.removed(kube::kEndpointSlices, slice("system", "activator", "10.0.0.2"));
  EXPECT_TRUE(activators.services.contains(kFlower)) << "all that are taken over";
  EXPECT_FALSE(activators.services.contains(other));
  // A watch that only knows a name when something goes.
  const Json gone = {{"metadata", {{"namespace", "team"}, {"name", "iris"}}}};
  EXPECT_TRUE(state.removed(kube::kDeployments, gone).services.contains(kFlower));
}

TEST_F(StateTest, AStatusTouchesNobodyAndWhatDecidesTouchesWhatItWasAndIs) {
  Json changed = deployment();
  changed["status"]["readyReplicas"] = 3;
  changed["spec"]["replicas"] = 3;
  changed["metadata"]["resourceVersion"] = "8";
  auto touched = state.applied(kube::kDeployments, changed);
  EXPECT_TRUE(touched.services.empty());
  EXPECT_TRUE(touched.deployments.empty());
  changed["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"] = 9000;
  touched = state.applied(kube::kDeployments, changed);
  EXPECT_EQ(touched.services, std::set<Key>{kFlower});
  EXPECT_EQ(touched.deployments, std::set<Key>{kIris});
  changed["spec"]["template"]["metadata"]["labels"]["app"] = "rose";
  EXPECT_EQ(state.applied(kube::kDeployments, changed).services, std::set<Key>{kFlower})
      << "it selects nothing any more";
  EXPECT_TRUE(state.applied(kube::kDeployments, changed).services.empty());
}

TEST_F(StateTest, WhoSharesAPortIsTouchedByWhoTakesIt) {
  (void)state.applied(kube::kServices, service("rose", "20001"));
  const std::set<Key> both{Key("team", "dahlia"), Key("team", "rose")};
  EXPECT_EQ(state.applied(kube::kServices, service("dahlia", "20001")).services, both)
      << "a copy, and the first: the other one needs a port now";
  EXPECT_EQ(state.removed(kube::kServices, service("dahlia", "20001")).services, both);
  EXPECT_EQ(port_of(state.facts(Key("team", "rose"))->service), 20001);
}

TEST_F(StateTest, APortThatAServiceHasNoMoreIsTold) {
  using Ports = std::set<std::uint16_t>;
  EXPECT_EQ(state.applied(kube::kServices, service("rose", "20001")).ports, Ports());
  EXPECT_EQ(state.applied(kube::kServices, service("rose", "20001")).ports, Ports());
  EXPECT_EQ(state.applied(kube::kServices, service("rose", "20002")).ports, Ports{20001});
  EXPECT_EQ(state.applied(kube::kServices, service("rose")).ports, Ports{20002}) << "given back";
  (void)state.applied(kube::kServices, service("rose", "20002"));
  EXPECT_EQ(state.removed(kube::kServices, service("rose")).ports, Ports{20002});
}

TEST_F(StateTest, ADeploymentThatIsGoneTouchesWhatItWas) {
  Json left;
  left["metadata"] = deployment()["metadata"];  // all that a watcher keeps of it
  const auto touched = state.removed(kube::kDeployments, left);
  EXPECT_TRUE(touched.services.contains(kFlower)) << "the Service that selected its pods";
  EXPECT_EQ(state.facts(kFlower)->deployment, nullptr);
}

TEST_F(StateTest, APrivateServiceOfOursWithoutItsDeploymentIsAnOrphan) {
  Json hidden = service("iris-private");
  hidden["spec"]["selector"] = {{"serving.knative.dev/revision", "iris"}};
  (void)state.applied(kube::kServices, hidden);
  const Key key("team", "iris-private");
  (void)state.removed(kube::kDeployments, deployment());
  EXPECT_EQ(state.orphan(key), nullptr) << "somebody else's";
  hidden["metadata"]["labels"][kPrivateLabel] = "true";
  (void)state.applied(kube::kServices, hidden);
  EXPECT_NE(state.orphan(key), nullptr);
  EXPECT_TRUE(state.applied(kube::kDeployments, deployment()).services.contains(key));
  EXPECT_EQ(state.orphan(key), nullptr);
}

/// A thousand of each, which have a label in common.
class CrowdTest : public StateTest {
 protected:
  CrowdTest() {
    for (int i = 0; i < 1000; ++i) {
      const std::string name = "n" + std::to_string(i);
      Json model = deployment(name.c_str(), name.c_str());
      model["spec"]["template"]["metadata"]["labels"]["a-team"] = "red";
      (void)state.applied(kube::kDeployments, model);
      Json front = service(name.c_str(), std::to_string(20000 + i).c_str());
      front["spec"]["selector"] = {{"a-team", "red"}, {"app", name}};
      (void)state.applied(kube::kServices, front);
      (void)state.applied(kube::kServices, hidden(name));
    }
  }
  static Json hidden(const std::string& name) {
    Json out = service((name + "-private").c_str());
    out["spec"]["selector"] = {{"serving.knative.dev/revision", name}};
    return out;
  }
};

TEST_F(CrowdTest, AWakeConcernsOneServiceAndCostsWhatItWouldAlone) {
  const Key one("team", "n700");
  const Key its_private("team", "n700-private");
  const auto before = state.selection().compared();
  Json marked = hidden("n700");
  marked["metadata"]["annotations"][kPathAnnotation] = "serve";
  const auto by_path = state.applied(kube::kServices, marked);
  const auto by_pods =
      state.applied(kube::kEndpointSlices, slice("team", "n700-private", "10.0.1.7"));
  EXPECT_EQ(by_path.services, (std::set<Key>{one, its_private}));
  EXPECT_EQ(by_path.deployments, std::set<Key>{one});
  EXPECT_EQ(by_pods.services, (std::set<Key>{one, its_private}));
  const auto facts = state.facts(one);
  ASSERT_NE(facts->deployment, nullptr);
  EXPECT_EQ(kube::name_of(*facts->deployment), "n700");
  EXPECT_EQ(facts->path, Path::serve);
  EXPECT_LE(state.selection().compared() - before, 16U) << "selectors looked at";
}

TEST_F(CrowdTest, AStatusIsNobodysConcern) {
  const auto before = state.selection().compared();
  Json model = deployment("n700", "n700");
  model["spec"]["template"]["metadata"]["labels"]["a-team"] = "red";
  model["status"]["readyReplicas"] = 1;
  EXPECT_TRUE(state.applied(kube::kDeployments, model).services.empty());
  EXPECT_EQ(state.selection().compared(), before);
}

TEST_F(StateTest, TheClusterIPOfAService) {
  EXPECT_EQ(state.cluster_ip(kFlower), "10.96.0.9");
  EXPECT_EQ(state.cluster_ip(Key("team", "nobody")), "");
  Json headless = service();
  headless["spec"]["clusterIP"] = "None";
  (void)state.applied(kube::kServices, headless);
  EXPECT_EQ(state.cluster_ip(kFlower), "");
}

}  // namespace
}  // namespace pilotlight::controller
