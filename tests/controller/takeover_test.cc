#include "controller/takeover.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "controller/admission.h"

namespace pilotlight::controller {
namespace {

using Verb = Step::Verb;

Json deployment() {
  return Json::parse(
      R"({"metadata":{"name":"iris","namespace":"team","uid":"d-1",
                      "labels":{"pilotlight.dev/inject":"true"}},
          "spec":{"template":{"metadata":{"labels":{"app":"iris","tier":"web"}},
                              "spec":{"containers":[{"name":"m","ports":[
                                {"name":"http","containerPort":8000},
                                {"name":"metrics","containerPort":8002}]}]}}}})");
}

Json service(const char* ports = R"([{"name":"web","port":80,"targetPort":"http"}])") {
  Json out = Json::parse(
      R"({"metadata":{"name":"flower","namespace":"team","uid":"s-1","resourceVersion":"7",
                      "annotations":{"team":"red"}},
          "spec":{"clusterIP":"10.96.0.9","selector":{"app":"iris"}}})");
  out["spec"]["ports"] = Json::parse(ports);
  return out;
}

Place place(const char* ip, bool ready = true) {
  Place out;
  out.ip = ip;
  out.ready = out.serving = ready;
  return out;
}

/// A cluster of one Service, with the part of Kubernetes that answers a selector.
class World {
 public:
  World() {
    facts.service = service();
    facts.deployment = &ours;
    facts.activators = {place("10.0.0.2"), place("10.0.0.3")};
    facts.families = {"IPv4"};
    facts.free_port = 20007;
    kubernetes();
  }

  /// What the endpoint controllers do.
  void kubernetes() {
    if (!facts.service["spec"].contains("selector")) return;
    has_endpoints = true;
    const auto same = [](const Json& slice) { return kube::name_of(slice) == "flower-x1"; };
    if (std::any_of(facts.slices.begin(), facts.slices.end(), same)) return;
    facts.slices.push_back(Json::parse(
        R"({"metadata":{"name":"flower-x1","labels":{"kubernetes.io/service-name":"flower",
            "endpointslice.kubernetes.io/managed-by":"endpointslice-controller.k8s.io"}},
            "addressType":"IPv4","ports":[],"endpoints":[]})"));
  }

  /// What Kubernetes makes of the selector leads to this pod.
  void select(const char* pod) {
    const auto made = std::find_if(facts.slices.begin(), facts.slices.end(), [](const Json& each) {
      return kube::name_of(each) == "flower-x1";
    });
    ASSERT_NE(made, facts.slices.end());
    (*made)["endpoints"] = Json::array({{{"targetRef", {{"kind", "Pod"}, {"name", pod}}}}});
  }

  /// A pod of the Deployment from before its label: only Kubernetes leads to it.
  void run_without_sidecar(bool ready) {
    select("iris-6d5f7c9b8-abcde");
    for (Json& each : facts.slices) {
      if (kube::name_of(each) != "flower-x1") continue;
      each["endpoints"][0]["addresses"] = Json::array({"10.0.1.9"});
      each["endpoints"][0]["conditions"]["ready"] = ready;
    }
  }

  void apply(const Step& step) {
    const bool update = step.verb == Verb::update;
    if (step.resource == kube::kServices) {
      ASSERT_TRUE(update) << "a Service of the user is never made or removed";
      EXPECT_EQ(kube::resource_version_of(step.object), kube::resource_version_of(facts.service));
      facts.service = step.object;
      kubernetes();
      return;
    }
    if (step.resource == kEndpoints) {
      ASSERT_EQ(step.verb, Verb::remove);
      has_endpoints = false;
      return;
    }
    const auto same = [&](const Json& slice) {
      return kube::name_of(slice) == kube::name_of(step.object);
    };
    const auto found = std::find_if(facts.slices.begin(), facts.slices.end(), same);
    ASSERT_EQ(found == facts.slices.end(), step.verb == Verb::create);
    if (found != facts.slices.end()) facts.slices.erase(found);
    if (step.verb == Verb::remove) return;
    facts.slices.push_back(step.object);
    facts.slices.back()["metadata"]["resourceVersion"] = "8";
  }

  /// Plans and applies until nothing is left to do; `at_most` steps of each plan, as a process that
  /// is killed again and again would.
  void settle(std::size_t at_most = 100) {
    for (int round = 0; round < 20; ++round) {
      const Plan plan = plan_service(facts);
      left_alone = plan.left_alone;
      if (plan.steps.empty()) return;
      std::size_t done = 0;
      for (const Step& step : plan.steps) {
        const bool gone = step.resource == kEndpoints && !has_endpoints;
        if (!gone && done++ == at_most) break;
        apply(step);
        expect_reachable();
      }
    }
    FAIL() << "it never comes to rest";
  }

  /// At every moment somebody stands behind the Service.
  void expect_reachable() {
    for (const Json& slice : facts.slices) {
      if (kube::name_of(slice) == "flower-x1" && facts.service["spec"].contains("selector")) return;
      const std::string_view name = kube::name_of(slice);
      const bool leads = name == "flower-pilotlight" || name == "flower-pilotlight-ipv6";
      if (leads && !slice["endpoints"].empty()) return;
    }
    ADD_FAILURE() << "nobody behind the Service: " << Json(facts.slices).dump(1);
  }

  const Json* slice(const char* name) const {
    for (const Json& each : facts.slices) {
      if (kube::name_of(each) == name) return &each;
    }
    return nullptr;
  }

  std::vector<std::string> addresses(const char* name = "flower-pilotlight") const {
    std::vector<std::string> out;
    const Json* found = slice(name);
    if (found == nullptr) return out;
    for (const Json& endpoint : (*found)["endpoints"]) out.push_back(endpoint["addresses"][0]);
    return out;
  }

  Json ours = deployment();
  ServiceFacts facts;
  bool has_endpoints = true;
  std::string left_alone;
};

using Addresses = std::vector<std::string>;

TEST(Takeover, TheServiceKeepsItsNameAndLeadsToTheActivators) {
  World world;
  world.settle();
  const Json& taken = world.facts.service;
  EXPECT_EQ(taken["spec"]["clusterIP"], "10.96.0.9");
  EXPECT_FALSE(taken["spec"].contains("selector"));
  EXPECT_EQ(kube::annotation_of(taken, kSelectorAnnotation), R"({"app":"iris"})");
  EXPECT_EQ(kube::annotation_of(taken, kPortAnnotation), "20007");
  EXPECT_EQ(kube::annotation_of(taken, "team"), "red");
  EXPECT_EQ(world.addresses(), (Addresses{"10.0.0.2", "10.0.0.3"}));
  const Json& slice = *world.slice("flower-pilotlight");
  EXPECT_EQ(slice["ports"], Json::parse(R"([{"name":"web","port":20007,"protocol":"TCP"}])"));
  EXPECT_EQ(slice["metadata"]["ownerReferences"][0]["uid"], "s-1");
  EXPECT_EQ(world.facts.slices.size(), 1U) << "what Kubernetes made of the selector is gone";
  EXPECT_FALSE(world.has_endpoints);
}

TEST(Takeover, ItComesToTheSameEndWhereverItIsInterrupted) {
  World whole;
  whole.settle();
  World interrupted;
  interrupted.settle(1);
  EXPECT_EQ(interrupted.facts.service, whole.facts.service);
  EXPECT_EQ(interrupted.facts.slices, whole.facts.slices);
}

TEST(Takeover, NothingChangesUntilAnActivatorListens) {
  World world;
  world.facts.activators.clear();
  world.settle();
  EXPECT_EQ(kube::label_of(world.facts.service, kManagedLabel), kPreparing);
  EXPECT_TRUE(world.facts.service["spec"].contains("selector"));
  EXPECT_EQ(world.slice("flower-pilotlight"), nullptr);
  world.facts.activators = {place("10.0.0.2")};
  world.settle();
  EXPECT_EQ(world.addresses(), Addresses{"10.0.0.2"});
}

TEST(Takeover, PodsThatRunServeOnUntilOneWithASidecarIsReady) {
  World world;
  world.facts.service = service(
      R"([{"name":"web","port":80,"targetPort":8000},
          {"name":"metrics","port":9100,"targetPort":"metrics"}])");
  world.run_without_sidecar(true);
  const std::vector<std::vector<Place>> none_ready = {{}, {place("10.0.1.1", false)}};
  for (const std::vector<Place>& pods : none_ready) {
    world.facts.pods = pods;
    world.settle();
    EXPECT_EQ(kube::label_of(world.facts.service, kManagedLabel), kPreparing);
    EXPECT_TRUE(world.facts.service["spec"].contains("selector"));
    EXPECT_EQ(world.facts.slices.size(), 1U) << "what Kubernetes made of the selector";
    EXPECT_NE(world.left_alone.find("sidecar"), std::string::npos) << world.left_alone;
  }
  world.facts.pods = {place("10.0.1.1")};
  world.settle(1);
  EXPECT_EQ(world.left_alone, "");
  EXPECT_EQ(world.addresses(), (Addresses{"10.0.0.2", "10.0.0.3"}));
  EXPECT_EQ(world.addresses("flower-pilotlight-direct"), Addresses{"10.0.1.1"});
  EXPECT_EQ(world.slice("flower-x1"), nullptr);
  world.facts.pods.clear();
  world.settle();
  EXPECT_EQ(kube::label_of(world.facts.service, kManagedLabel), kTaken) << "asleep is no way back";
  EXPECT_EQ(world.left_alone, "");
}

TEST(Takeover, PodsThatAreNotReadyHoldNothingUp) {
  World world;
  world.run_without_sidecar(false);
  world.settle();
  EXPECT_EQ(kube::label_of(world.facts.service, kManagedLabel), kTaken);
  world.facts.service["spec"]["selector"] = {{"app", "iris"}};
  world.kubernetes();
  world.run_without_sidecar(true);
  world.settle();
  EXPECT_FALSE(world.facts.service["spec"].contains("selector")) << "it has been taken for long";
}

TEST(Takeover, OneThatBreaksOffLeavesNobodyWaitingBesideThePodsThatServe) {
  World world;
  world.run_without_sidecar(true);
  world.facts.pods = {place("10.0.1.1")};
  world.apply(plan_service(world.facts).steps.at(0));  // it is in preparation
  world.apply(plan_service(world.facts).steps.at(0));
  ASSERT_NE(world.slice("flower-pilotlight"), nullptr);
  world.facts.pods = {place("10.0.1.1", false)};
  world.settle();
  EXPECT_EQ(world.slice("flower-pilotlight"), nullptr);
  EXPECT_NE(world.slice("flower-x1"), nullptr);
}

TEST(Takeover, WithoutTheLabelItIsAsItWas) {
  World world;
  const Json before = world.facts.service;
  world.settle();
  world.facts.deployment = nullptr;
  world.settle(1);
  EXPECT_EQ(world.facts.service, before);
  ASSERT_EQ(world.facts.slices.size(), 1U);
  EXPECT_EQ(kube::name_of(world.facts.slices[0]), "flower-x1");
}

TEST(Takeover, OurSlicesStayUntilKubernetesHasMadeItsOwn) {
  World world;
  world.settle();
  world.facts.deployment = nullptr;
  world.facts.service["spec"]["selector"] = {{"app", "iris"}};
  world.facts.service["metadata"]["labels"].erase(kManagedLabel);
  EXPECT_TRUE(plan_service(world.facts).steps.empty());
  world.kubernetes();
  EXPECT_EQ(plan_service(world.facts).steps.size(), 1U);
}

TEST(Takeover, ServeLeadsToTheSidecarsAndBackWithOneWrite) {
  World world;
  world.settle();
  world.facts.pods = {place("10.0.1.1"), place("10.0.1.2", false)};
  EXPECT_TRUE(plan_service(world.facts).steps.empty());
  world.facts.path = Path::serve;
  const Plan there = plan_service(world.facts);
  ASSERT_EQ(there.steps.size(), 1U);
  EXPECT_EQ(there.steps[0].verb, Verb::update);
  world.settle();
  EXPECT_EQ(world.addresses(), (Addresses{"10.0.1.1", "10.0.1.2"}));
  EXPECT_EQ((*world.slice("flower-pilotlight"))["ports"][0]["port"], 8012);
  EXPECT_EQ((*world.slice("flower-pilotlight"))["endpoints"][1]["conditions"]["ready"], false);
  world.facts.path = Path::proxy;
  EXPECT_EQ(plan_service(world.facts).steps.size(), 1U);
}

TEST(Takeover, WithoutAReadyPodTheActivatorsHoldTheRequestsWhateverTheRuleSays) {
  World world;
  world.settle();
  const Addresses activators = world.addresses();
  world.facts.path = Path::serve;
  world.facts.pods = {place("10.0.1.1")};
  world.settle();
  EXPECT_EQ(world.addresses(), Addresses{"10.0.1.1"});
  world.facts.pods = {place("10.0.1.1", false)};
  world.settle();
  EXPECT_EQ(world.addresses(), activators);
}

TEST(Takeover, WithoutActivatorsTheSidecarsServeAndWithoutBothNothingMoves) {
  World world;
  world.settle();
  world.facts.activators.clear();
  EXPECT_TRUE(plan_service(world.facts).steps.empty()) << "the old ones are the best there is";
  world.facts.pods = {place("10.0.1.1")};
  world.settle();
  EXPECT_EQ(world.addresses(), Addresses{"10.0.1.1"});
}

TEST(Takeover, PortsThatAreNotTheAppsLeadToThePods) {
  World world;
  world.facts.service = service(
      R"([{"name":"web","port":80,"targetPort":8000},{"name":"metrics","port":9100,
          "targetPort":"metrics"},{"name":"lost","port":1,"targetPort":"nowhere"}])");
  world.facts.pods = {place("10.0.1.1")};
  world.settle();
  EXPECT_EQ(world.addresses("flower-pilotlight-direct"), Addresses{"10.0.1.1"});
  EXPECT_EQ((*world.slice("flower-pilotlight-direct"))["ports"],
            Json::parse(R"([{"name":"metrics","port":8002,"protocol":"TCP"}])"));
  EXPECT_EQ((*world.slice("flower-pilotlight"))["ports"].size(), 1U);
  world.facts.service["spec"]["ports"].erase(1);
  world.settle();
  EXPECT_EQ(world.slice("flower-pilotlight-direct"), nullptr);
}

TEST(Takeover, WhatCannotBeTakenOverIsLeftAloneAndGivenBack) {
  const std::vector<std::pair<const char*, const char*>> rows = {
      {R"({"spec":{"clusterIP":"None"}})", "headless"},
      {R"({"spec":{"type":"ExternalName"}})", "ExternalName"},
      {R"({"spec":{"internalTrafficPolicy":"Local"}})", "internalTrafficPolicy"},
      {R"({"spec":{"externalTrafficPolicy":"Local"}})", "externalTrafficPolicy"},
      {R"({"spec":{"ipFamilies":["IPv6"]}})", "ipFamilies: got IPv6, expected IPv4"},
      {R"({"spec":{"ipFamilies":["IPv4","IPv6"]}})", "ipFamilies: got two"},
      {R"({"spec":{"ports":[{"port":9100,"targetPort":8002}]}})", "none of its ports"},
      {R"({"spec":{"ports":[{"port":53,"targetPort":8000,"protocol":"UDP"}]}})", "none of its"}};
  for (const auto& [change, reason] : rows) {
    World world;
    world.settle();
    world.facts.service.merge_patch(Json::parse(change));
    world.settle();
    EXPECT_NE(world.left_alone.find(reason), std::string::npos) << change;
    EXPECT_EQ(world.facts.service["spec"]["selector"], Json({{"app", "iris"}})) << change;
    EXPECT_EQ(world.slice("flower-pilotlight"), nullptr) << change;
  }
  World full;
  full.facts.free_port = 0;
  full.settle();
  EXPECT_NE(full.left_alone.find("used up"), std::string::npos);
}

TEST(Takeover, WhatTheActivatorsCanTakeOverIs) {
  for (const char* change :
       {R"({"ipFamilies":["IPv4"]})", R"({"sessionAffinity":"ClientIP"})",
        R"({"internalTrafficPolicy":"Cluster","externalTrafficPolicy":"Cluster"})"}) {
    World world;
    world.facts.service["spec"].merge_patch(Json::parse(change));
    world.settle();
    EXPECT_EQ(world.left_alone, "") << change;
    EXPECT_EQ(kube::label_of(world.facts.service, kManagedLabel), kTaken) << change;
  }
  World unknown;
  unknown.facts.families.clear();
  unknown.facts.activators.clear();
  unknown.facts.service["spec"]["ipFamilies"] = Json::array({"IPv6"});
  unknown.settle();
  EXPECT_EQ(unknown.left_alone, "") << "without an activator nobody can say";
}

TEST(Takeover, AServiceThatSelectsPodsOfOthersIsLeftAloneUntilTheyAreGone) {
  World world;
  world.facts.activators.clear();
  world.settle();
  EXPECT_EQ(kube::label_of(world.facts.service, kManagedLabel), kPreparing);
  world.select("rose-5f4c-x7x7x");
  world.facts.activators = {place("10.0.0.2")};
  world.settle();
  EXPECT_EQ(world.facts.service, service());
  EXPECT_NE(world.left_alone.find("not of Deployment iris"), std::string::npos);
  world.select("iris-6d5f7c9b8-abcde");
  world.settle();
  EXPECT_EQ(world.addresses(), Addresses{"10.0.0.2"});
  EXPECT_EQ(world.left_alone, "");
  world.facts.service["spec"]["selector"] = {{"app", "iris"}};
  world.kubernetes();
  world.select("rose-5f4c-x7x7x");
  world.settle();
  EXPECT_EQ(world.left_alone, "") << "it has led past them for long";
  EXPECT_EQ(world.slice("flower-x1"), nullptr);
}

TEST(Takeover, AServiceWithThePrivateNameThatIsNotOursIsLeftAlone) {
  World world;
  world.facts.has_private_name = true;
  world.settle();
  EXPECT_EQ(world.facts.service, service());
  EXPECT_NE(world.left_alone.find("pilotlight.dev/private"), std::string::npos);
  World front;
  front.settle();
  front.facts.private_name_taken = true;
  front.settle();
  EXPECT_EQ(front.facts.service, service()) << "the activators would send to the other's pods";
  EXPECT_NE(front.left_alone.find("on iris-private"), std::string::npos);
}

TEST(Takeover, AForeignSliceStays) {
  World world;
  world.facts.slices.push_back(Json::parse(
      R"({"metadata":{"name":"flower-own","labels":{"kubernetes.io/service-name":"flower"}},
          "endpoints":[]})"));
  world.settle();
  EXPECT_NE(world.slice("flower-own"), nullptr);
}

TEST(Takeover, AnAppliedSelectorIsTakenAgain) {
  World world;
  world.settle();
  world.facts.service["spec"]["selector"] = {{"app", "iris"}, {"tier", "web"}};
  world.kubernetes();
  world.settle();
  EXPECT_FALSE(world.facts.service["spec"].contains("selector"));
  EXPECT_EQ(original_selector(world.facts.service), Json({{"app", "iris"}, {"tier", "web"}}));
}

TEST(Takeover, IPv6ActivatorsHaveASliceOfTheirKind) {
  World world;
  world.settle();
  world.facts.activators = {place("fd00::2")};
  world.settle();
  ASSERT_NE(world.slice("flower-pilotlight-ipv6"), nullptr);
  EXPECT_EQ((*world.slice("flower-pilotlight-ipv6"))["addressType"], "IPv6");
  EXPECT_EQ(world.slice("flower-pilotlight"), nullptr);
}

TEST(PrivateService, SelectsThePodsWithASidecarAndGoesWithTheDeployment) {
  const auto made = plan_private_service(deployment(), nullptr);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->verb, Verb::create);
  EXPECT_EQ(kube::name_of(made->object), "iris-private");
  EXPECT_EQ(made->object["spec"]["clusterIP"], "None");
  EXPECT_EQ(made->object["spec"]["selector"], Json({{"serving.knative.dev/revision", "iris"}}));
  EXPECT_EQ(made->object["metadata"]["ownerReferences"][0]["uid"], "d-1");
  Json found = made->object;
  found["metadata"]["resourceVersion"] = "3";
  found["spec"]["sessionAffinity"] = "None";
  EXPECT_FALSE(plan_private_service(deployment(), &found)) << "what the server adds is no change";
  found["spec"]["selector"] = {{"app", "other"}};
  const auto mended = plan_private_service(deployment(), &found);
  ASSERT_TRUE(mended);
  EXPECT_EQ(mended->verb, Verb::update);
  EXPECT_EQ(kube::resource_version_of(mended->object), "3");
}

TEST(PrivateService, OfSomebodyElseIsLeftAlone) {
  Json found = service();
  found["metadata"]["name"] = "iris-private";
  EXPECT_FALSE(plan_private_service(deployment(), &found));
  found["metadata"]["labels"][kPrivateLabel] = "false";
  EXPECT_FALSE(plan_private_service(deployment(), &found));
}

}  // namespace
}  // namespace pilotlight::controller
