#include "config/check_deployment.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "config/revision.h"
#include "config/yaml_documents.h"
#include "tests/config/manifest_text.h"

namespace pilotlight::config {
namespace {

using nlohmann::json;

json good() {
  const auto documents = read_documents(test::deployment(), "x.yaml");
  return documents ? documents->front().value : json();
}

Problems problems_of(const json& deployment) {
  return check_deployment(deployment, AutoscalerDefaults());
}

void expect_problem(const json& deployment, const std::string& wanted) {
  const Problems problems = problems_of(deployment);
  const auto has = [&](const std::string& problem) {
    return problem.find(wanted) != std::string::npos;
  };
  EXPECT_EQ(std::count_if(problems.begin(), problems.end(), has), 1)
      << wanted << " in " << json(problems).dump(1);
}

TEST(CheckDeployment, AGoodOneHasNoProblem) {
  EXPECT_EQ(problems_of(good()), Problems());
  json full = good();
  full["metadata"]["annotations"] = {{"autoscaling.knative.dev/window", "30s"},
                                     {"pilotlight.dev/target-parked-wait", "20ms"},
                                     {"example.com/own", "x"}};
  full["spec"]["template"]["metadata"]["annotations"] = {
      {"pilotlight.dev/container-concurrency", "4"}, {"pilotlight.dev/timeout-seconds", "60"}};
  full["spec"]["template"]["spec"]["initContainers"] = json::array({{{"name", "fetch"}}});
  EXPECT_EQ(problems_of(full), Problems());
}

TEST(CheckDeployment, EveryProblemIsToldAtOnce) {
  json bad = good();
  bad["metadata"]["name"] = std::string(56, 'a');
  bad["metadata"]["annotations"] = {{"autoscaling.knative.dev/window", "soon"},
                                    {"autoscaling.knative.dev/min", "1"},
                                    {"pilotlight.dev/timeout-seconds", "60"}};
  json& pod = bad["spec"]["template"];
  pod["metadata"]["labels"].erase("pilotlight.dev/inject");
  pod["metadata"]["annotations"] = {{"pilotlight.dev/container-concurrency", "-1"},
                                    {"pilotlight.dev/idle-timeout-seconds", "400"},
                                    {"autoscaling.knative.dev/max-scale", "3"},
                                    {"pilotlight.dev/unheard-of", "x"}};
  pod["spec"]["hostNetwork"] = true;
  EXPECT_EQ(problems_of(bad).size(), 10U) << json(problems_of(bad)).dump(1);
  expect_problem(bad, "metadata.name: got");
  expect_problem(bad, "metadata.annotations[autoscaling.knative.dev/window]: got \"soon\"");
  expect_problem(bad, "metadata.annotations[autoscaling.knative.dev/min]: ");
  expect_problem(bad, "metadata.annotations[pilotlight.dev/timeout-seconds]: got an annotation of");
  expect_problem(bad, "spec.template.metadata.labels[pilotlight.dev/inject]: got nothing");
  expect_problem(bad, "spec.template.metadata.annotations[pilotlight.dev/container-concurrency]");
  expect_problem(bad, "spec.template.metadata.annotations[pilotlight.dev/idle-timeout-seconds]");
  expect_problem(bad, "spec.template.metadata.annotations[autoscaling.knative.dev/max-scale]");
  expect_problem(bad, "spec.template.metadata.annotations[pilotlight.dev/unheard-of]");
  expect_problem(bad, "spec.template.spec.hostNetwork: got true");
}

TEST(CheckDeployment, ATemplateThatClaimsAnothersRevisionIsRefused) {
  json bad = good();
  json& labels = bad["spec"]["template"]["metadata"]["labels"];
  labels[kRevisionLabel] = labels[kServiceLabel] = "iris";
  EXPECT_EQ(problems_of(bad), Problems());
  labels[kRevisionLabel] = labels[kServiceLabel] = "rose";
  EXPECT_EQ(problems_of(bad).size(), 1U) << "the Service's name decides nothing";
  expect_problem(bad,
                 "spec.template.metadata.labels[serving.knative.dev/revision]: got \"rose\", "
                 "expected \"iris\": its pods");
  json& pod = bad["spec"]["template"]["spec"];
  pod["initContainers"] = json::array({{{"name", kSidecarName}, {"restartPolicy", "Always"}}});
  EXPECT_EQ(problems_of(bad).size(), 1U) << "with the sidecar in it already";
  bad["metadata"]["labels"][kRevisionLabel] = "rose";
  EXPECT_EQ(problems_of(bad), Problems()) << "generators write the same on both";
  labels.erase(kRevisionLabel);
  EXPECT_EQ(problems_of(bad).size(), 1U) << "its pods would go by its name";
  expect_problem(bad,
                 "spec.template.metadata.labels[serving.knative.dev/revision]: got nothing, "
                 "expected \"rose\", as on the Deployment");
}

TEST(CheckDeployment, PortsOfTheSidecarAreRefusedWithTheirUse) {
  json bad = good();
  json& container = bad["spec"]["template"]["spec"]["containers"][0];
  container["ports"] = json::array(
      {{{"containerPort", 8012}}, {{"containerPort", 9090}}, {{"containerPort", 8112}}});
  EXPECT_EQ(problems_of(bad).size(), 2U);
  expect_problem(bad, "spec.template.spec.containers[0].ports[0].containerPort: got 8012");
  expect_problem(bad, "needs this one for its statistics");
}

TEST(CheckDeployment, NamesOfTheSidecarHttp2AndOtherSystemsAreRefused) {
  json bad = good();
  json& spec = bad["spec"]["template"]["spec"];
  spec["containers"][0]["name"] = kSidecarName;
  spec["containers"][0]["ports"] = json::array({{{"containerPort", 80}, {"name", "h2c"}}});
  spec["volumes"] = json::array({{{"name", kTokenVolume}}});
  spec["os"] = {{"name", "windows"}};
  EXPECT_EQ(problems_of(bad).size(), 4U) << json(problems_of(bad)).dump(1);
  expect_problem(bad, "spec.template.spec.os.name: got \"windows\"");
}

TEST(CheckDeployment, NonsenseIsAProblemAndNeverAnException) {
  for (const char* text : {"null", "[]", "{}", R"({"spec":7})", R"({"spec":{"template":[]}})",
                           R"({"metadata":{"labels":3,"annotations":[]},"spec":{"template":{}}})",
                           R"({"spec":{"template":{"spec":{"containers":[7,null]}}}})"}) {
    EXPECT_NE(problems_of(json::parse(text)), Problems()) << text;
  }
}

}  // namespace
}  // namespace pilotlight::config
