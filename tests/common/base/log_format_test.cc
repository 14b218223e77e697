#include "common/base/log_format.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace pilotlight {
namespace {

TEST(LogFormat, TextQuotesWhatCouldBeMistaken) {
  EXPECT_EQ(text_of("scaled", {{"to", 3}, {"why", "a \"b\"\n"}, {"none", ""}}),
            R"(scaled to=3 why="a \"b\"\x0a" none="")");
}

TEST(LogFormat, JsonIsOneObjectALine) {
  const std::string line = "{" + json_of(LogLevel::warn, "said \"no\"\n", {{"peer", "a\tb"}}) + "}";
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto read = nlohmann::json::parse(line);
  EXPECT_EQ(read["severity"], "WARNING");
  EXPECT_EQ(read["message"], "said \"no\"\n");
  EXPECT_EQ(read["peer"], "a\tb");
}

TEST(LogFormat, JsonSurvivesBytesThatAreNoText) {
  const auto read =
      nlohmann::json::parse("{" + json_of(LogLevel::info, "e", {{"k", "\xff"}}) + "}");
  EXPECT_EQ(read["k"], "\xef\xbf\xbd");
}

}  // namespace
}  // namespace pilotlight
