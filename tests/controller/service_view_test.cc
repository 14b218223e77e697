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

}  // namespace
}  // namespace pilotlight::controller
