#include "local/api/target.h"

#include <gtest/gtest.h>

#include "local/api/discovery.h"

namespace pilotlight::local {
namespace {

std::string read(std::string_view path) {
  const auto target = parse_target(path);
  if (!target) return "none";
  return std::string(target->kind->kind) + " " + target->space + " " + target->name + " " +
         target->subresource;
}

TEST(Target, PathsNameCollectionsObjectsAndTheirParts) {
  EXPECT_EQ(read("/api/v1/pods"), "Pod   ");
  EXPECT_EQ(read("/api/v1/namespaces/a/pods"), "Pod a  ");
  EXPECT_EQ(read("/api/v1/namespaces/a/pods/p"), "Pod a p ");
  EXPECT_EQ(read("/api/v1/namespaces/a/pods/p/status"), "Pod a p status");
  EXPECT_EQ(read("/api/v1/namespaces"), "Namespace   ");
  EXPECT_EQ(read("/api/v1/namespaces/a"), "Namespace  a ");
  EXPECT_EQ(read("/api/v1/namespaces/a/"), "Namespace  a ");
  EXPECT_EQ(read("/api/v1/namespaces/a/status"), "Namespace  a status");
  EXPECT_EQ(read("/apis/apps/v1/deployments"), "Deployment   ");
  EXPECT_EQ(read("/apis/apps/v1/namespaces/a/deployments/d/scale"), "Deployment a d scale");
  EXPECT_EQ(read("/apis/discovery.k8s.io/v1/namespaces/a/endpointslices"), "EndpointSlice a  ");
}

TEST(Target, OtherPathsNameNothing) {
  for (const char* path :
       {"", "/", "/api", "/api/v1", "/apis/apps/v1", "/apis/apps/v1/pods", "/api/v1/deployments",
        "/api/v2/pods", "/api/v1/namespaces/a/nothing", "/api/v1/pods/p",
        "/api/v1/namespaces/a/pods/p/scale", "/api/v1/namespaces/a/pods/p/log",
        "/api/v1/namespaces/a/pods/p/status/more", "/api/v1/namespaces/a/namespaces/b", "/metrics",
        "//api/v1/pods", "/apis//v1/pods"}) {
    EXPECT_EQ(read(path), "none") << path;
  }
}

TEST(Discovery, EveryKindIsFound) {
  for (const Kind& kind : kinds()) {
    const std::string root = kind.resource.group.empty() ? "/api/" : "/apis/";
    const auto list = discover(root + api_version_of(kind.resource), "0.1.0");
    ASSERT_TRUE(list) << kind.kind;
    EXPECT_NE(list->dump().find("\"" + std::string(kind.kind) + "\""), std::string::npos);
  }
  EXPECT_TRUE(discover("/api", ""));
  EXPECT_EQ((*discover("/apis", ""))["groups"].size(), 4u);
  EXPECT_EQ((*discover("/apis/apps", ""))["kind"], "APIGroup");
  EXPECT_EQ((*discover("/apis/autoscaling", ""))["preferredVersion"]["version"], "v2");
  EXPECT_FALSE(discover("/apis/batch/v1", ""));
  EXPECT_FALSE(discover("/openapi/v2", ""));
}

}  // namespace
}  // namespace pilotlight::local
