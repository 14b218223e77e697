#include "controller/service_view.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "controller/admission.h"

namespace pilotlight::controller {
namespace {

Json service() {
  return Json::parse(
      R"({"metadata":{"name":"flower","namespace":"team"},
          "spec":{"clusterIP":"10.96.0.9","selector":{"app":"iris"}}})");
}

TEST(OriginalSelector, IsTheOneInTheSpecOrTheOneThatWasKept) {
  Json other = service();
  EXPECT_EQ(original_selector(other), Json::parse(R"({"app":"iris"})"));
  other["spec"].erase("selector");
  EXPECT_EQ(original_selector(other), Json::object());
  other["metadata"]["annotations"][kSelectorAnnotation] = R"({"app":"rose"})";
  EXPECT_EQ(original_selector(other), Json::parse(R"({"app":"rose"})"));
  other["metadata"]["annotations"][kSelectorAnnotation] = "not json";
  EXPECT_EQ(original_selector(other), Json::object());
}

TEST(ServicePort, IsItsOwnAndUsuallyTheSame) {
  std::set<std::uint16_t> taken;
  const auto used = [&taken](std::uint16_t port) { return taken.contains(port); };
  const std::uint16_t first = free_port(service(), used);
  EXPECT_GE(first, config::kFirstServicePort);
  EXPECT_LE(first, config::kLastServicePort);
  EXPECT_EQ(free_port(service(), used), first);
  taken.insert(first);
  EXPECT_NE(free_port(service(), used), first);
  for (std::uint16_t port = config::kFirstServicePort; port <= config::kLastServicePort; ++port)
    taken.insert(port);
  EXPECT_EQ(free_port(service(), used), 0);
  for (const char* bad : {"", "x", "19999", "30000", "200000000000", "20000 "}) {
    Json wrong = service();
    wrong["metadata"]["annotations"][kPortAnnotation] = bad;
    EXPECT_EQ(port_of(wrong), 0) << bad;
  }
}

TEST(PlacesIn, SlicesAreMergedByAddress) {
  const Json slice = Json::parse(
      R"({"endpoints":[{"addresses":["10.0.0.9"],"conditions":{"ready":false,"serving":true,
           "terminating":true},"nodeName":"n","targetRef":{"kind":"Pod","name":"p"}},
          {"addresses":["10.0.0.1"]},{"addresses":[]},{"addresses":[7]},3]})");
  const auto places = places_in({slice, slice, Json()});
  ASSERT_EQ(places.size(), 2U);
  EXPECT_EQ(places[0].ip, "10.0.0.1");
  EXPECT_TRUE(places[0].ready);
  EXPECT_TRUE(places[1].terminating && places[1].serving && !places[1].ready);
  EXPECT_EQ(places[1].target["name"], "p");
}

/// Of the Service in front of the Deployment `name`: a pod of its own, and this one.
std::vector<Json> slices_with(const std::string& own, const std::string& pod,
                              const char* made_by = kEndpointSliceController) {
  Json slice = {{"metadata", {{"labels", {{kManagedBy, made_by}}}}}};
  for (const std::string& name : {own, pod}) {
    slice["endpoints"].push_back({{"targetRef", {{"kind", "Pod"}, {"name", name}}}});
  }
  return {slice};
}

TEST(LeadsToOthers, ByTheNamesOfPods) {
  const Json iris = {{"metadata", {{"name", "iris"}}}};
  const std::string own = "iris-6d5f7c9b8-abcde";
  EXPECT_FALSE(leads_to_others({}, iris));
  EXPECT_FALSE(leads_to_others(slices_with(own, "iris-5f4c-x7x7x"), iris)) << "a rolling update";
  for (const char* other :
       {"rose-5f4c-x7x7x", "iris-canary-5f4c-x7x7x", "iris", "irises-5f4c-x7"}) {
    EXPECT_TRUE(leads_to_others(slices_with(own, other), iris)) << other;
    const auto mirrored = slices_with(own, other, "endpointslicemirroring-controller.k8s.io");
    EXPECT_FALSE(leads_to_others(mirrored, iris)) << other;
    EXPECT_FALSE(leads_to_others(slices_with(own, other, "pilotlight.dev"), iris)) << other;
  }
}

TEST(LeadsToOthers, OfALongNameTheApiServerKeepsTheBeginning) {
  const std::string name = std::string(57, 'i') + "-deployment";
  const Json deployment = {{"metadata", {{"name", name}}}};
  const std::string pod = name.substr(0, 58) + "abcde";
  EXPECT_FALSE(leads_to_others(slices_with(pod, pod), deployment));
}

TEST(LeadsToOthers, WhatIsNoPodSaysNothing) {
  const Json iris = {{"metadata", {{"name", "iris"}}}};
  const Json slice = Json::parse(
      R"({"metadata":{"labels":{"endpointslice.kubernetes.io/managed-by":
           "endpointslice-controller.k8s.io"}},
          "endpoints":[{"addresses":["10.0.0.1"]},{"targetRef":{"kind":"Node","name":"n"}},3]})");
  EXPECT_FALSE(leads_to_others({slice, Json()}, iris));
}

}  // namespace
}  // namespace pilotlight::controller
