// Ours stand on the metadata of the object itself, so that an edit makes no new revision.

#include <gtest/gtest.h>

#include "config/manifest.h"

namespace pilotlight::config {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kFloor =
    R"('[{"cron":"0 8 * * 1-5","replicas":2,"for":"10h","timezone":"Europe/Berlin"}]')";

std::string service(const std::string& on_service, const std::string& on_template) {
  return "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata:\n  name: iris\n"
         "  annotations:\n    example.com/x: text\n" +
         on_service + "spec:\n  template:\n    metadata:\n      annotations:\n" +
         "        autoscaling.knative.dev/max-scale: \"5\"\n" + on_template +
         "    spec:\n      containers:\n        - command: [iris]\n";
}

std::string floor(const std::string& indent, std::string_view value = kFloor) {
  return indent + "pilotlight.dev/floor: " + std::string(value) + "\n";
}

TEST(LiveAnnotations, AServicesOwnReachItsDeploymentsMetadataOnly) {
  const auto read = read_manifest(
      service(floor("    ") + "    pilotlight.dev/target-parked-wait: 1s\n", ""), "iris.yaml", "/");
  ASSERT_TRUE(read) << read.error().front();
  const Revision& revision = read->revisions.front();
  ASSERT_EQ(revision.policy.floors.size(), 1U);
  EXPECT_EQ(revision.policy.target_parked_wait, 1s);
  EXPECT_EQ(revision.annotations.count(kFloorAnnotation), 1U);
  EXPECT_EQ(revision.annotations.count("autoscaling.knative.dev/max-scale"), 1U);
  EXPECT_EQ(revision.annotations.count("example.com/x"), 0U);
  EXPECT_EQ(revision.template_annotations.count(kFloorAnnotation), 0U);
}

TEST(LiveAnnotations, AProblemNamesTheLineOnTheService) {
  const auto read = read_manifest(service(floor("    ", "'[1]'"), ""), "iris.yaml", "/");
  ASSERT_FALSE(read);
  EXPECT_TRUE(read.error().front().starts_with(
      "iris.yaml:7: metadata.annotations[pilotlight.dev/floor][0]: got 1, expected an object"))
      << read.error().front();
}

TEST(LiveAnnotations, OnATemplateTheyAreRefused) {
  EXPECT_FALSE(read_manifest(service("", floor("        ")), "iris.yaml", "/"));
}

TEST(LiveAnnotations, ADeploymentHasThemBesideKnatives) {
  const auto read = read_manifest(
      "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: iris\n"
      "  labels: {pilotlight.dev/inject: \"true\"}\n  annotations:\n" +
          floor("    ") +
          "    serving.knative.dev/progress-deadline: 90s\n"
          "spec:\n  selector: {matchLabels: {app: iris}}\n  template:\n    metadata:\n"
          "      labels: {app: iris, pilotlight.dev/inject: \"true\"}\n"
          "    spec:\n      containers:\n        - name: app\n          command: [iris]\n",
      "iris.yaml", "/");
  ASSERT_TRUE(read) << read.error().front();
  EXPECT_EQ(read->revisions.front().policy.floors.size(), 1U);
  EXPECT_EQ(read->revisions.front().policy.progress_deadline, 90s);
}

}  // namespace
}  // namespace pilotlight::config
