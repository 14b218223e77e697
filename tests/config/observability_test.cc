#include "config/observability.h"

#include <gtest/gtest.h>

namespace pilotlight::config {
namespace {

constexpr std::string_view kWhere = "OBSERVABILITY_CONFIG";

std::string problem_of(std::string_view text) {
  const auto result = parse_observability(text, kWhere);
  if (result) return "no problem";
  EXPECT_EQ(result.error().size(), 1U);
  return result.error().front();
}

TEST(ObservabilityConfig, NothingSaidIsEverythingOff) {
  for (const char* text : {"", "{}", R"({"requestMetrics":{"protocol":"none"},"future":1})"}) {
    const auto config = parse_observability(text, kWhere);
    ASSERT_TRUE(config) << text;
    EXPECT_EQ(config->request_metrics, Observability::Metrics::none);
    EXPECT_FALSE(config->request_log || config->probe_request_log);
    EXPECT_TRUE(config->without_effect.empty());
    EXPECT_FALSE(config->request_log_template.empty()) << "Knative's default";
  }
}

TEST(ObservabilityConfig, WhatKnativesControllerWritesIsRead) {
  const auto config = parse_observability(
      R"({"tracing":{"protocol":"none"},"metrics":{"protocol":"none","exportInterval":0},)"
      R"("runtime":{"profiling":"disabled"},"requestMetrics":{"protocol":"prometheus",)"
      R"("endpoint":":9191"},"enableRequestLog":true,"requestLogTemplate":"{{.Request.Method}}",)"
      R"("enableProbeRequestLog":true})",
      kWhere);
  ASSERT_TRUE(config) << config.error().front();
  EXPECT_EQ(config->request_metrics, Observability::Metrics::prometheus);
  EXPECT_EQ(config->request_metrics_endpoint, ":9191");
  EXPECT_TRUE(config->request_log && config->probe_request_log);
  EXPECT_EQ(config->request_log_template.size(), 1U);
  EXPECT_TRUE(config->without_effect.empty());
}

TEST(ObservabilityConfig, WhatIsNotDoneIsSaid) {
  const auto config = parse_observability(
      R"({"requestMetrics":{"protocol":"http/protobuf"},"tracing":{"protocol":"stdout"},)"
      R"("metrics":{"protocol":"grpc"},"runtime":{"profiling":"enabled"}})",
      kWhere);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->request_metrics, Observability::Metrics::pushed);
  EXPECT_EQ(config->without_effect.size(), 4U);
}

TEST(ObservabilityConfig, WrongValuesAreNamed) {
  EXPECT_EQ(problem_of("{"), "OBSERVABILITY_CONFIG: got \"{\", expected JSON");
  EXPECT_EQ(problem_of("[]"), "OBSERVABILITY_CONFIG: got an empty list, expected an object");
  EXPECT_EQ(problem_of(R"({"requestMetrics":{"protocol":"statsd"}})"),
            "OBSERVABILITY_CONFIG: requestMetrics.protocol: got \"statsd\", expected one of none, "
            "prometheus, grpc, http/protobuf");
  EXPECT_EQ(problem_of(R"({"enableRequestLog":"yes"})"),
            "OBSERVABILITY_CONFIG: enableRequestLog: got \"yes\", expected true or false");
}

TEST(ObservabilityConfig, ATemplateIsAProblemOnlyWhenItIsUsed) {
  EXPECT_EQ(problem_of(R"({"requestLogTemplate":"{{nonsense}}"})"), "no problem");
  EXPECT_EQ(problem_of(R"({"enableRequestLog":true,"requestLogTemplate":"{{nonsense}}"})"),
            "OBSERVABILITY_CONFIG: requestLogTemplate: got \"{{nonsense}}\", expected a field of "
            ".Request, .Response or .Revision, or .TraceID, alone or with js");
}

}  // namespace
}  // namespace pilotlight::config
