// What the objects of the API come to: routes, doors, and what is shown of them.
#include "activator/status.h"
#include "tests/activator/control_fixture.h"

namespace pilotlight::activator {
namespace {

using namespace std::chrono_literals;

TEST_F(ControlTest, DeploymentsBecomeRoutesAfterTheFirstList) {
  control_.deployments().applied(deployment("iris"));
  control_.deployments().applied(deployment("echo"));
  shard_.settle();
  EXPECT_EQ(find("iris.default.x"), nullptr) << "half a list is no list";
  control_.deployments().synced();
  EXPECT_EQ(routed_, 1);
  ASSERT_TRUE(until([&] { return find("iris.default.x") && find("echo.default.x"); }));
  EXPECT_EQ(find("iris.default.x")->capacity, 2u);
  EXPECT_EQ(find("iris.default.x")->timeout, 30s);

  control_.deployments().applied(deployment("iris", "5"));
  ASSERT_TRUE(until([&] { return find("iris.default.x")->capacity == 5; }));
  Json broken = deployment("iris", "many");
  control_.deployments().applied(broken);
  shard_.settle();
  ASSERT_NE(find("iris.default.x"), nullptr) << "a bad edit takes no service away";
  control_.deployments().removed(deployment("iris"));
  ASSERT_TRUE(until([&] { return find("iris.default.x") == nullptr; }));
  control_.deployments().removed(deployment("echo"));
  ASSERT_TRUE(until([&] { return find("echo.default.x") == nullptr; }));
}

Json managed_service() {
  Json service;
  service["metadata"] = Json{{"name", "web"},
                             {"namespace", "default"},
                             {"labels", {{"pilotlight.dev/managed", "true"}}},
                             {"annotations", {{"pilotlight.dev/activator-port", "20001"}}}};
  service["spec"]["selector"] = Json{{"serving.knative.dev/service", "iris"}};
  return service;
}

TEST_F(ControlTest, DoorsAreToldOnceDeploymentsAndServicesAreKnown) {
  control_.services().applied(managed_service());
  control_.services().synced();
  control_.deployments().applied(deployment("iris"));
  EXPECT_TRUE(doors_.empty());
  control_.deployments().synced();
  ASSERT_FALSE(doors_.empty());
  EXPECT_EQ(doors_.back(), (Doors{{20001, "default/iris"}}));
  control_.deployments().removed(deployment("iris"));
  EXPECT_TRUE(doors_.back().empty());
  control_.deployments().applied(deployment("iris"));
  EXPECT_EQ(doors_.back(), (Doors{{20001, "default/iris"}}));
  control_.services().removed(managed_service());
  EXPECT_TRUE(doors_.back().empty());
}

TEST_F(ControlTest, ADeploymentThatLosesItsLabelIsServedAsBeforeForAWhile) {
  control_.deployments().applied(deployment("iris"));
  control_.deployments().synced();
  control_.received(endpoints());
  const auto replicas = [this] {
    shard_.settle();
    bool done = false;
    std::vector<RevisionReport> reports;
    shard_.scope.spawn(collect(homes_, reports, done));
    EXPECT_TRUE(until([&done] { return done; }));
    return reports.empty() ? std::size_t{0} : reports.at(0).replicas.size();
  };
  EXPECT_EQ(replicas(), 1u);
  Json plain = deployment("iris");
  plain["metadata"]["labels"].erase("pilotlight.dev/inject");
  control_.deployments().applied(plain);
  wire::Endpoints none = endpoints();
  none.replicas.clear();
  control_.received(none);
  ASSERT_TRUE(find("iris.default.example.com"));
  EXPECT_EQ(replicas(), 1u);
  control_.deployments().applied(deployment("iris"));  // it has it again: what was said counts
  EXPECT_EQ(replicas(), 0u);
  control_.deployments().applied(plain);
  control_.deployments().removed(plain);
  EXPECT_TRUE(until([&] { return !find("iris.default.example.com"); }));
}

TEST_F(ControlTest, TheStatusAndTheMetricsShowEveryRevision) {
  control_.deployments().applied(deployment("iris"));
  control_.deployments().synced();
  ASSERT_TRUE(until([&] { return revisions_.report().size() == 1; }));
  Cells cells;
  cells.finished(pilotlight::activator::Outcome::answered);
  Picture picture;
  picture.epoch = 5;
  picture.revisions = revisions_.report();
  picture.rate = [](const RevisionInfo&) { return 1.5; };
  picture.cells = {&cells};
  const Json status = status_json(picture);
  EXPECT_EQ(status["epoch"], "5");
  EXPECT_EQ(status["revisions"][0]["revision"], "iris-00001");
  EXPECT_EQ(status["revisions"][0]["parked"], 0);
  EXPECT_EQ(status["revisions"][0]["requests_per_second"], 1.5);
  const std::string text = metrics_text(picture);
  EXPECT_NE(text.find("pilotlight_activator_requests_total{outcome=\"answered\"} 1\n"),
            std::string::npos);
  EXPECT_NE(text.find("pilotlight_activator_parked{namespace=\"default\",revision=\"iris-00001\"}"),
            std::string::npos);
}

}  // namespace
}  // namespace pilotlight::activator
