#include "local/endpoint_controller.h"

#include <gtest/gtest.h>

namespace pilotlight::local {
namespace {

struct EndpointControllerTest : testing::Test {
  ApiStore store{1};
  EndpointController controller{store, 8012};

  void add_pod(const std::string& name, const std::string& address, bool ready) {
    Json pod;
    pod["metadata"]["name"] = name;
    pod["metadata"]["labels"] =
        Json{{"serving.knative.dev/revision", "echo-00001"}, {"pilotlight.dev/inject", "true"}};
    Json container{{"name", "c"}, {"image", "i"}};
    pod["spec"]["containers"] = Json::array();
    pod["spec"]["containers"].push_back(container);
    pod["status"]["podIP"] = address;
    pod["status"]["conditions"] = Json::array();
    pod["status"]["conditions"].push_back(
        Json{{"type", "Ready"}, {"status", ready ? "True" : "False"}});
    const Stored stored = store.create(kube::kPods, pod);
    ASSERT_TRUE(stored) << stored.error().message;
  }

  Json endpoints() const {
    const Object slice = store.find(kube::kEndpointSlices, "default", "echo-00001-private");
    return slice ? kube::array(*slice, {"endpoints"}) : Json();
  }
};

TEST_F(EndpointControllerTest, APodIsAnEndpointWithItsReadiness) {
  add_pod("a", "127.1.2.10", true);
  add_pod("b", "127.1.2.11", false);
  ASSERT_EQ(endpoints().size(), 2u);
  EXPECT_EQ(endpoints()[0]["addresses"][0], "127.1.2.10");
  EXPECT_EQ(endpoints()[0]["conditions"]["ready"], true);
  EXPECT_EQ(endpoints()[1]["conditions"]["ready"], false);
  EXPECT_EQ(endpoints()[0]["targetRef"]["name"], "a");
  const Object slice = store.find(kube::kEndpointSlices, "default", "echo-00001-private");
  EXPECT_EQ(kube::label_of(*slice, "kubernetes.io/service-name"), "echo-00001-private");
  EXPECT_EQ((*slice)["ports"][0]["port"], 8012);
}

TEST_F(EndpointControllerTest, ATerminatingPodIsNeverReadyAndAGoneOneIsNotThere) {
  add_pod("a", "127.1.2.10", true);
  ASSERT_TRUE(store.remove(kube::kPods, "default", "a", ApiStore::Removal()));
  ASSERT_EQ(endpoints().size(), 1u);
  EXPECT_EQ(endpoints()[0]["conditions"]["ready"], false);
  EXPECT_EQ(endpoints()[0]["conditions"]["terminating"], true);
  store.remove_now(kube::kPods, "default", "a");
  EXPECT_EQ(endpoints(), Json::array());
}

}  // namespace
}  // namespace pilotlight::local
