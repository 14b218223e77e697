#include "common/metrics/exposition.h"

#include <limits>

#include <gtest/gtest.h>

namespace pilotlight {
namespace {

TEST(Exposition, WritesHelpTypeAndSamples) {
  Exposition out;
  const std::vector<Sample> samples = {{{{"revision", "a"}, {"namespace", "b"}}, 3}, {{}, 0.25}};
  out.counter("x_total", "How many x.", samples);
  EXPECT_EQ(out.text(),
            "# HELP x_total How many x.\n"
            "# TYPE x_total counter\n"
            "x_total{revision=\"a\",namespace=\"b\"} 3\n"
            "x_total 0.25\n");
}

TEST(Exposition, EscapesWhatWouldBreakALine) {
  Exposition out;
  const std::vector<Sample> samples = {{{{"a", "q\"b\\n\n"}}, 1}};
  out.gauge("g", "back\\slash\nline \"quoted\"", samples);
  EXPECT_EQ(out.text(),
            "# HELP g back\\\\slash\\nline \"quoted\"\n"
            "# TYPE g gauge\n"
            "g{a=\"q\\\"b\\\\n\\n\"} 1\n");
}

TEST(Exposition, WritesNumbersThatReadBack) {
  Exposition out;
  out.gauge("a", "h", 1234567890123.0);
  out.gauge("b", "h", 0.1);
  out.gauge("c", "h", std::numeric_limits<double>::infinity());
  out.gauge("d", "h", -2);
  out.counter("e_total", "h", 7);
  EXPECT_NE(out.text().find("\na 1234567890123\n"), std::string::npos);
  EXPECT_NE(out.text().find("\nb 0.1\n"), std::string::npos);
  EXPECT_NE(out.text().find("\nc +Inf\n"), std::string::npos);
  EXPECT_NE(out.text().find("\nd -2\n"), std::string::npos);
  EXPECT_NE(out.text().find("\ne_total 7\n"), std::string::npos);
}

TEST(Exposition, HistogramBucketsAreCumulative) {
  Exposition out;
  HistogramSample sample;
  sample.bounds = {0.1, 1};
  sample.counts = {2, 3, 1};
  sample.sum = 4.5;
  out.histogram("h_seconds", "h", {sample});
  EXPECT_EQ(out.text(),
            "# HELP h_seconds h\n"
            "# TYPE h_seconds histogram\n"
            "h_seconds_bucket{le=\"0.1\"} 2\n"
            "h_seconds_bucket{le=\"1\"} 5\n"
            "h_seconds_bucket{le=\"+Inf\"} 6\n"
            "h_seconds_sum 4.5\n"
            "h_seconds_count 6\n");
}

TEST(Exposition, AFamilyWithoutSamplesIsLeftOut) {
  Exposition out;
  out.counter("x_total", "h", std::vector<Sample>());
  EXPECT_EQ(out.text(), "");
}

}  // namespace
}  // namespace pilotlight
