#include "local/api/patch.h"

#include <gtest/gtest.h>

namespace pilotlight::local {
namespace {

using kube::Json;

Json strategic(const char* object, const char* patch) {
  Json changed = Json::parse(object);
  strategic_merge(changed, Json::parse(patch));
  return changed;
}

TEST(Patch, StrategicMergeOfPlainFieldsIsAMergePatch) {
  EXPECT_EQ(strategic(R"({"a":{"b":1,"c":2},"l":[1,2]})", R"({"a":{"b":null,"d":3},"l":[3]})"),
            Json::parse(R"({"a":{"c":2,"d":3},"l":[3]})"));
}

TEST(Patch, ContainersAndEnvironmentMergeByName) {
  EXPECT_EQ(strategic(R"({"containers":[{"name":"a","image":"1","env":[{"name":"X","value":"1"}]},
                                        {"name":"b"}]})",
                      R"({"containers":[{"name":"a","env":[{"name":"Y","value":"2"},
                                                           {"name":"X","value":"3"}]},
                                        {"name":"c"}]})"),
            Json::parse(R"({"containers":[{"name":"a","image":"1",
                              "env":[{"name":"X","value":"3"},{"name":"Y","value":"2"}]},
                              {"name":"b"},{"name":"c"}]})"));
}

TEST(Patch, PortsMergeByTheirNumber) {
  EXPECT_EQ(strategic(R"({"ports":[{"containerPort":80,"name":"http"}]})",
                      R"({"ports":[{"containerPort":80,"name":"h2c"},{"containerPort":90}]})"),
            Json::parse(R"({"ports":[{"containerPort":80,"name":"h2c"},{"containerPort":90}]})"));
}

TEST(Patch, DirectivesDeleteAndReplace) {
  EXPECT_EQ(strategic(R"({"containers":[{"name":"a"},{"name":"b"}]})",
                      R"({"containers":[{"name":"a","$patch":"delete"}],
                          "$setElementOrder/containers":[{"name":"b"}]})"),
            Json::parse(R"({"containers":[{"name":"b"}]})"));
  EXPECT_EQ(strategic(R"({"containers":[{"name":"a"}]})",
                      R"({"containers":[{"name":"c"},{"$patch":"replace"}]})"),
            Json::parse(R"({"containers":[{"name":"c"}]})"));
  EXPECT_EQ(
      strategic(R"({"labels":{"a":"1","b":"2"}})", R"({"labels":{"$patch":"replace","c":"3"}})"),
      Json::parse(R"({"labels":{"c":"3"}})"));
  EXPECT_EQ(strategic(R"({"strategy":{"type":"x","rollingUpdate":{}}})",
                      R"({"strategy":{"type":"y","$retainKeys":["type"]}})"),
            Json::parse(R"({"strategy":{"type":"y"}})"));
  EXPECT_EQ(strategic(R"({"finalizers":["a","b"]})",
                      R"({"$deleteFromPrimitiveList/finalizers":["a"],"finalizers":["c"]})"),
            Json::parse(R"({"finalizers":["b","c"]})"));
}

TEST(Patch, ContentTypeDecidesHow) {
  const Json object = Json::parse(R"({"a":[{"name":"x"}],"containers":[{"name":"x"}]})");
  const char* body = R"({"containers":[{"name":"y"}]})";
  const auto merged = apply_patch(object, "application/merge-patch+json; charset=utf-8", body);
  ASSERT_TRUE(merged.has_value());
  EXPECT_EQ((*merged)["containers"].size(), 1u);
  const auto strategic_one = apply_patch(object, "application/strategic-merge-patch+json", body);
  ASSERT_TRUE(strategic_one.has_value());
  EXPECT_EQ((*strategic_one)["containers"].size(), 2u);
  const auto json_patch =
      apply_patch(object, "application/json-patch+json", R"([{"op":"remove","path":"/a"}])");
  ASSERT_TRUE(json_patch.has_value());
  EXPECT_FALSE(json_patch->contains("a"));
}

TEST(Patch, RefusesWhatIsNoPatch) {
  const Json object = Json::object();
  EXPECT_EQ(apply_patch(object, "application/merge-patch+json", "{").error().code, 400u);
  EXPECT_EQ(apply_patch(object, "application/merge-patch+json", "[]").error().code, 400u);
  EXPECT_EQ(apply_patch(object, "application/json-patch+json", "{}").error().code, 400u);
  EXPECT_EQ(apply_patch(object, "application/json-patch+json", R"([{"op":"test","path":"/a"}])")
                .error()
                .code,
            422u);
  EXPECT_EQ(apply_patch(object, "application/json", "{}").error().code, 415u);
  const auto apply = apply_patch(object, "application/apply-patch+yaml", "{}");
  EXPECT_EQ(apply.error().code, 415u);
  EXPECT_NE(apply.error().message.find("server-side apply"), std::string::npos);
}

}  // namespace
}  // namespace pilotlight::local
