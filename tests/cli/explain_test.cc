#include "cli/explain.h"

#include <gtest/gtest.h>

namespace pilotlight::cli {
namespace {

constexpr std::string_view kLine =
    R"({"ms":86400000,"namespace":"team","service":"iris","from":0,"desired":2,)"
    R"("reason":"poke","text":"2 requests parked and no replica ready"})";

ExplainOptions about(const std::string& service, bool json = false) {
  ExplainOptions options;
  options.service = service;
  options.json = json;
  return options;
}

TEST(Explain, ALineSaysWhatChangedAndWhy) {
  const auto text = explain_line(kLine, about("iris"), 0);
  ASSERT_TRUE(text);
  EXPECT_NE(text->find("0 -> 2      poke: 2 requests parked and no replica ready\n"),
            std::string::npos)
      << *text;
  EXPECT_EQ(explain_line(kLine, about("team/iris", true), 0), std::string(kLine) + "\n");
}

TEST(Explain, OthersOlderOnesAndCutLinesAreLeftOut) {
  EXPECT_FALSE(explain_line(kLine, about("rose"), 0));
  EXPECT_FALSE(explain_line(kLine, about("default/iris"), 0));
  EXPECT_FALSE(explain_line(kLine, about("iris"), 86'400'001));
  EXPECT_TRUE(explain_line(kLine, about("iris"), 86'400'000));
  EXPECT_FALSE(explain_line(kLine.substr(0, 60), about("iris"), 0));
  EXPECT_FALSE(explain_line("[1]", about("iris"), 0));
  EXPECT_FALSE(explain_line("", about("iris"), 0));
}

}  // namespace
}  // namespace pilotlight::cli
