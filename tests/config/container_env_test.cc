#include "config/container_env.h"

#include <gtest/gtest.h>

namespace pilotlight::config {
namespace {

const std::vector<EnvVar> kKnown = {{"A", "1"}, {"B", "$(A)"}, {"EMPTY", ""}};

// The rows that matter of Kubernetes' own table (third_party/forked/golang/expansion).
TEST(ContainerEnv, ExpandsAsKubernetesDoes) {
  const std::pair<const char*, const char*> rows[] = {
      {"$(A)", "1"},
      {"x$(A)y", "x1y"},
      {"$(A)$(A)", "11"},
      {"$$(A)", "$(A)"},
      {"$$$(A)", "$1"},
      {"$$$$(A)", "$$(A)"},
      {"$(B)", "$(A)"},
      {"$(EMPTY)", ""},
      {"$(MISSING)", "$(MISSING)"},
      {"$(A", "$(A"},
      {"$A", "$A"},
      {"${A}", "${A}"},
      {"$", "$"},
      {"$$", "$"},
      {"a$", "a$"},
      {"$()", "$()"},
      {"", ""},
      {"(A)", "(A)"},
      {"$($(A))", "$(1)"},
      {"\xC3\xA9$(A)",
       "\xC3\xA9"
       "1"},
  };
  for (const auto& [text, wanted] : rows) EXPECT_EQ(expand(text, kKnown), wanted) << text;
}

TEST(ContainerEnv, AnEntryMayReferToThoseBeforeIt) {
  Container container;
  container.command = {"serve", "--port=$(PORT)"};
  container.args = {"$(URL)", "$(LATER)"};
  container.env = {{"EARLY", "$(LATER)"}, {"URL", "http://h:$(PORT)"}, {"LATER", "x"}};
  const Expanded out = expand_container(container, {{"PORT", "9000"}, {"LATER2", ""}});
  EXPECT_EQ(out.command, (std::vector<std::string>{"serve", "--port=9000", "http://h:9000", "x"}));
  EXPECT_EQ(out.env, (std::vector<EnvVar>{{"PORT", "9000"},
                                          {"LATER2", ""},
                                          {"EARLY", "$(LATER)"},
                                          {"URL", "http://h:9000"},
                                          {"LATER", "x"}}));
}

TEST(ContainerEnv, TheContainersOwnValueReplacesTheGivenOne) {
  Container container;
  container.env = {{"PATH", "/opt/bin:$(PATH)"}, {"N", "1"}, {"N", "2"}};
  const Expanded out = expand_container(container, {{"PATH", "/bin"}});
  EXPECT_EQ(out.env, (std::vector<EnvVar>{{"PATH", "/opt/bin:/bin"}, {"N", "2"}}));
}

}  // namespace
}  // namespace pilotlight::config
