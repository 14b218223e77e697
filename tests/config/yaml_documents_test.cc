#include "config/yaml_documents.h"

#include <gtest/gtest.h>

namespace pilotlight::config {
namespace {

using nlohmann::json;

json value(const std::string& text) {
  const auto documents = read_documents("v: " + text, "f.yaml");
  EXPECT_TRUE(documents) << documents.error().front();
  return documents && documents->size() == 1 ? documents->front().value["v"] : json("none");
}

std::string problem(const std::string& text) {
  const auto documents = read_documents(text, "f.yaml");
  if (documents) return "no problem";
  EXPECT_EQ(documents.error().size(), 1U);
  return documents.error().front();
}

TEST(YamlDocuments, ScalarsAreTypedAsKubernetesTypesThem) {
  EXPECT_EQ(value("\"1\""), json("1"));
  EXPECT_EQ(value("'true'"), json("true"));
  EXPECT_EQ(value("1"), json(1));
  EXPECT_EQ(value("-3"), json(-3));
  EXPECT_EQ(value("0x10"), json(16));
  EXPECT_EQ(value("017"), json(15));
  EXPECT_EQ(value("0o17"), json(15));
  EXPECT_EQ(value("0.5"), json(0.5));
  EXPECT_EQ(value("1e3"), json(1000.0));
  EXPECT_EQ(value("yes"), json(true));
  EXPECT_EQ(value("off"), json(false));
  EXPECT_EQ(value("~"), json(nullptr));
  EXPECT_EQ(value(""), json(nullptr));
  EXPECT_EQ(value("60s"), json("60s"));
  EXPECT_EQ(value("1.2.3"), json("1.2.3"));
  EXPECT_EQ(value("!!str 1"), json("1"));
  EXPECT_EQ(value("|\n  a\n  b\n"), json("a\nb\n"));
  EXPECT_EQ(value("[1, {a: b}]"), json::parse(R"([1, {"a": "b"}])"));
  EXPECT_EQ(value("&x [1]\nw: *x"), json::parse("[1]"));
}

TEST(YamlDocuments, EmptyOnesAreLeftOutAndLinesAreKept) {
  const auto documents =
      read_documents("---\n# nothing\n---\na:\n  b.c:\n    - d: 1\n---\n", "f.yaml");
  ASSERT_TRUE(documents);
  ASSERT_EQ(documents->size(), 1U);
  const Document& document = documents->front();
  EXPECT_EQ(document.at("a"), "f.yaml:4");
  EXPECT_EQ(document.at("a[b.c]"), "f.yaml:5");
  EXPECT_EQ(document.at("a[b.c][0].d"), "f.yaml:6");
  EXPECT_EQ(document.at("a[b.c][0].missing.deeper"), "f.yaml:6");
  EXPECT_EQ(document.at("other"), "f.yaml:4") << "the document itself";
}

TEST(YamlDocuments, JsonIsYaml) {
  const auto documents = read_documents("{\n\t\"a\": [1, \"2\", null]\n}\n", "f.json");
  ASSERT_TRUE(documents) << documents.error().front();
  EXPECT_EQ(documents->front().value, json::parse(R"({"a": [1, "2", null]})"));
}

TEST(YamlDocuments, WhatIsRefusedIsNamedWithItsLine) {
  EXPECT_EQ(problem("a: 1\nb: [2\nc: 3\n").substr(0, 53),
            "f.yaml:3: got text that is not YAML (line 3, column 2");
  EXPECT_EQ(problem("a: 1\nb: 2\na: 3\n"),
            "f.yaml:3: a: got this key a second time, expected it once");
  EXPECT_EQ(problem("a:\n  <<: {b: 1}\n"),
            "f.yaml:2: a.<<: got a merge key, expected the fields themselves");
  EXPECT_EQ(problem("[1, 2]: 3\n"), "f.yaml:1: got a key that is not a string, expected a string");
  EXPECT_EQ(problem("a: !thing 1\n"), "f.yaml:1: a: got the tag \"!thing\", expected none");
  EXPECT_EQ(problem("a: \xFF\n"), "f.yaml: got bytes that are not UTF-8, expected YAML or JSON");
  EXPECT_NE(problem("*x"), "no problem");
}

TEST(YamlDocuments, AliasesCannotMakeASmallFileHuge) {
  std::string text = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n";
  for (int i = 1; i < 9; ++i) {
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) text += (j == 0 ? "*a" : ", *a") + std::to_string(i - 1);
    text += "]\n";
  }
  EXPECT_NE(problem(text).find("expected at most 100000 values in 64 levels"), std::string::npos);
  EXPECT_NE(problem(std::string(100, '[') + std::string(100, ']')), "no problem");
  EXPECT_NE(problem("a: &a [*a]\n"), "no problem") << "an alias of what it is in";
}

}  // namespace
}  // namespace pilotlight::config
