#include "config/yaml_text.h"

#include <gtest/gtest.h>

#include "config/yaml_documents.h"

namespace pilotlight::config {
namespace {

using nlohmann::json;

TEST(YamlText, IsWhatKubectlWouldWrite) {
  const json value = json::parse(
      R"({"spec":{"list":[{"name":"a","deep":{"x":1}},"b",[1,2]],"none":[],"empty":{}},
          "kind":"Pod"})");
  EXPECT_EQ(to_yaml(value),
            "kind: Pod\n"
            "spec:\n"
            "  empty: {}\n"
            "  list:\n"
            "  - deep:\n"
            "      x: 1\n"
            "    name: a\n"
            "  - b\n"
            "  - - 1\n"
            "    - 2\n"
            "  none: []\n");
}

TEST(YamlText, ReadsBackAsTheSameValue) {
  json strings = json::array({"",
                              " ",
                              "true",
                              "No",
                              "null",
                              "~",
                              "1",
                              "0x10",
                              "1e3",
                              "-1",
                              ".5",
                              "a: b",
                              "a #b",
                              "- a",
                              "[x]",
                              "{x}",
                              "a\nb\n",
                              "\ttab",
                              "\"quoted\"",
                              "it's",
                              "$(PORT)",
                              "ü",
                              "C:\\path",
                              "<<",
                              "*x",
                              "&x",
                              "!x",
                              "y",
                              "30s",
                              "/v2/health/ready",
                              "autoscaling.knative.dev/window",
                              "2026-11-25"});
  json value = {{"strings", strings},
                {"numbers", {1, -7, 1.5}},
                {"flags", {true, false}},
                {"nothing", nullptr},
                {"deep", {{"list", {{{"a", {{"b", {json::array()}}}}}}}}}};
  for (const json& text : strings) value["keys"][text.get<std::string>()] = text;
  value["keys"].erase("<<");  // a key that readers may take for a merge, which ours refuses
  const std::string text = to_yaml(std::vector<json>{value, json{{"second", true}}});
  const auto documents = read_documents(text, "x.yaml");
  ASSERT_TRUE(documents) << documents.error().front() << "\n" << text;
  ASSERT_EQ(documents->size(), 2U);
  EXPECT_EQ((*documents)[0].value, value) << text;
  EXPECT_EQ((*documents)[1].value["second"], true);
}

}  // namespace
}  // namespace pilotlight::config
