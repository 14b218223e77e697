#include "proxy/metrics.h"

#include <gtest/gtest.h>

namespace pilotlight::proxy {
namespace {

bool has(const std::string& text, std::string_view line) {
  return text.find(std::string(line) + "\n") != std::string::npos;
}

TEST(ProxyMetrics, EveryOutcomeAndCauseIsThereFromTheStart) {
  const Cells cells;
  const std::string text = metrics_text(cells, Gauges());
  for (const std::string_view outcome : kOutcomeLabel) {
    EXPECT_TRUE(
        has(text, "pilotlight_proxy_requests_total{outcome=\"" + std::string(outcome) + "\"} 0"));
  }
  for (std::size_t i = 0; i < kRefusalCauses; ++i) {
    const std::string cause(to_string(static_cast<RefusalCause>(i)));
    EXPECT_TRUE(has(text, "pilotlight_proxy_refusals_total{cause=\"" + cause + "\"} 0"));
  }
}

TEST(ProxyMetrics, DurationsArePerStatusWithKnativesBucketsInSeconds) {
  Cells cells;
  cells.invocations.observe(200, 5'000);
  cells.invocations.observe(200, 5'001);
  cells.invocations.observe(502, 8'000'000);
  cells.invocations.observe(0, 1);    // no answer: nothing to say
  cells.invocations.observe(600, 1);  // no HTTP status
  const std::string text = metrics_text(cells, Gauges());
  const std::string name = "kn_serving_invocation_duration_seconds";
  const std::string ok = "{http_response_status_code=\"200\"";
  EXPECT_TRUE(has(text, name + "_bucket" + ok + ",le=\"0.005\"} 1"));
  EXPECT_TRUE(has(text, name + "_bucket" + ok + ",le=\"0.01\"} 2"));
  EXPECT_TRUE(has(text, name + "_bucket" + ok + ",le=\"7.5\"} 2"));
  EXPECT_TRUE(has(text, name + "_sum" + ok + "} 0.010001"));
  const std::string failed = "{http_response_status_code=\"502\"";
  EXPECT_TRUE(has(text, name + "_bucket" + failed + ",le=\"7.5\"} 0"));
  EXPECT_TRUE(has(text, name + "_bucket" + failed + ",le=\"10\"} 1"));
  EXPECT_TRUE(has(text, name + "_bucket" + failed + ",le=\"+Inf\"} 1"));
  EXPECT_EQ(text.find("status_code=\"0\""), std::string::npos);
}

TEST(ProxyMetrics, TheBucketsOfDurationsAreKnatives) {
  Cells cells;
  cells.queue_wait.observe(1);
  const std::string text = metrics_text(cells, Gauges());
  const std::string bucket = "pilotlight_proxy_queue_wait_seconds_bucket{le=\"";
  std::string bounds;
  for (std::size_t at = text.find(bucket); at != std::string::npos; at = text.find(bucket, at)) {
    at += bucket.size();
    bounds += text.substr(at, text.find('"', at) - at) + " ";
  }
  EXPECT_EQ(bounds, "0.005 0.01 0.025 0.05 0.075 0.1 0.25 0.5 0.75 1 2.5 5 7.5 10 +Inf ");
}

TEST(ProxyMetrics, DepthIsRunningAndWaiting) {
  Gauges gauges;
  gauges.running = 4;
  gauges.queued = 3;
  gauges.limit = 4;
  gauges.queue_limit = 40;
  const Cells cells;
  const std::string text = metrics_text(cells, gauges);
  EXPECT_TRUE(has(text, "kn_serving_queue_depth 7"));
  EXPECT_TRUE(has(text, "pilotlight_proxy_in_flight 4"));
  EXPECT_TRUE(has(text, "pilotlight_proxy_queued 3"));
  EXPECT_TRUE(has(text, "pilotlight_proxy_limit 4"));
  EXPECT_TRUE(has(text, "pilotlight_proxy_queue_limit 40"));
}

}  // namespace
}  // namespace pilotlight::proxy
