#include "autoscaler/rivals.h"

#include <gtest/gtest.h>

namespace pilotlight::autoscaler {
namespace {

using Name = Rivals::Name;

kube::Json scaler(const std::string& name, const std::string& target,
                  const std::string& kind = "Deployment", const std::string& version = "apps/v1") {
  return {
      {"metadata", {{"namespace", "team"}, {"name", name}}},
      {"spec", {{"scaleTargetRef", {{"apiVersion", version}, {"kind", kind}, {"name", target}}}}}};
}

const Name kIris{"team", "iris"};
const Name kNone;

TEST(Rivals, ADeploymentThatAnotherScalesIsKnownUntilThatGoes) {
  Rivals rivals;
  const auto touched = rivals.applied(scaler("hpa", "iris"));
  EXPECT_EQ(touched.before, kNone);
  EXPECT_EQ(touched.after, kIris);
  EXPECT_EQ(rivals.of(kIris), "HorizontalPodAutoscaler hpa");
  EXPECT_EQ(rivals.of({"other", "iris"}), "") << "it is of another namespace";
  EXPECT_EQ(rivals.removed(scaler("hpa", "iris")).before, kIris);
  EXPECT_EQ(rivals.of(kIris), "");
}

TEST(Rivals, KedaIsNamedByItsOwnObject) {
  Rivals rivals;
  kube::Json hpa = scaler("keda-hpa-queue", "iris");
  hpa["metadata"]["labels"]["scaledobject.keda.sh/name"] = "queue";
  (void)rivals.applied(hpa);
  EXPECT_EQ(rivals.of(kIris), "KEDA ScaledObject queue");
}

TEST(Rivals, OneThatTurnsToAnotherTargetLeavesTheFirst) {
  Rivals rivals;
  (void)rivals.applied(scaler("hpa", "iris"));
  const auto touched = rivals.applied(scaler("hpa", "rose"));
  EXPECT_EQ(touched.before, kIris);
  EXPECT_EQ(touched.after, Name("team", "rose"));
  EXPECT_EQ(rivals.of(kIris), "");
}

TEST(Rivals, OfTwoTheSecondStaysWhenTheFirstGoes) {
  Rivals rivals;
  (void)rivals.applied(scaler("a", "iris"));
  (void)rivals.applied(scaler("b", "iris"));
  (void)rivals.removed(scaler("a", "iris"));
  EXPECT_EQ(rivals.of(kIris), "HorizontalPodAutoscaler b");
}

TEST(Rivals, OtherKindsOfTargetsDoNotMatter) {
  Rivals rivals;
  EXPECT_EQ(rivals.applied(scaler("a", "iris", "StatefulSet")).after, kNone);
  EXPECT_EQ(rivals.applied(scaler("b", "iris", "Deployment", "example.com/v1")).after, kNone);
  EXPECT_EQ(rivals.applied(kube::Json::object()).after, kNone);
  EXPECT_EQ(rivals.of(kIris), "");
}

}  // namespace
}  // namespace pilotlight::autoscaler
