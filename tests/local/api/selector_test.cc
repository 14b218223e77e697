#include "local/api/selector.h"

#include <gtest/gtest.h>

#include "tests/local/api/objects.h"

namespace pilotlight::local {
namespace {

struct Row {
  const char* labels;
  const char* fields;
  bool matches;
};

TEST(Selector, MatchesAsKubernetesDoes) {
  kube::Json pod = test::pod("iris-1");
  pod["metadata"]["namespace"] = "default";
  pod["metadata"]["labels"]["a.b/c"] = "x";
  pod["status"]["podIP"] = "127.1.2.10";
  const Row rows[] = {
      {"", "", true},
      {"app=iris", "", true},
      {"app==iris", "", true},
      {"app = iris , a.b/c=x", "", true},
      {"app=iris,a.b/c=y", "", false},
      {"app!=iris", "", false},
      {"absent!=iris", "", true},
      {"app in (iris, echo)", "", true},
      {"app in (echo)", "", false},
      {"app notin (echo,x),a.b/c", "", true},
      {"absent notin (echo)", "", true},
      {"absent in (echo)", "", false},
      {"app", "", true},
      {"!app", "", false},
      {"absent", "", false},
      {"!absent", "", true},
      {"absent=", "", false},
      {"", "metadata.name=iris-1", true},
      {"", "metadata.name=iris-1,metadata.namespace!=other", true},
      {"", "metadata.name!=iris-1", false},
      {"", "status.podIP=127.1.2.10", true},
      {"", "status.phase=Running", false},
      {"", "involvedObject.kind!=Node,type!=Warning,reason!=Pulled", true},
      {"", "type=Warning", false},
  };
  for (const Row& row : rows) {
    const auto selector = Selector::parse(row.labels, row.fields);
    ASSERT_TRUE(selector.has_value()) << row.labels << " | " << row.fields;
    EXPECT_EQ(selector->matches(pod), row.matches) << row.labels << " | " << row.fields;
  }
}

TEST(Selector, SaysWhatItDoesNotUnderstand) {
  for (const char* labels : {"=x", "a=b=c", "a in b", "a in (b", "a foo (b)", "(a)", "a b", "!"}) {
    EXPECT_FALSE(Selector::parse(labels, "").has_value()) << labels;
  }
  EXPECT_EQ(Selector::parse("", "spec.color=red").error(), "field label not supported: spec.color");
  EXPECT_FALSE(Selector::parse("", "metadata.name").has_value());
}

}  // namespace
}  // namespace pilotlight::local
