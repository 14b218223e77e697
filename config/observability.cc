#include "config/observability.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "config/json_reader.h"

namespace pilotlight::config {
namespace {

using nlohmann::json;

/// One of the protocols of a section; "none" when nothing is said.
std::string protocol(ObjectReader& section, std::initializer_list<std::string_view> words) {
  const auto text = section.text("protocol");
  if (!text || text->empty()) return "none";
  std::string expected;
  for (const std::string_view word : words) {
    if (*text == word) return *text;
    expected += expected.empty() ? "" : ", ";
    expected += word;
  }
  section.report().wrong(section.path_of("protocol"), in_quotes(*text), "one of " + expected);
  return "none";
}

void read_request_metrics(ObjectReader& root, Observability& out) {
  ObjectReader section = root.object("requestMetrics");
  const std::string word = protocol(section, {"none", "prometheus", "grpc", "http/protobuf"});
  out.request_metrics_endpoint = section.text("endpoint").value_or("");
  if (word == "none") return;
  if (word == "prometheus") {
    out.request_metrics = Observability::Metrics::prometheus;
    return;
  }
  out.request_metrics = Observability::Metrics::pushed;
  out.without_effect.push_back(fmt::format("requestMetrics over {}", word));
}

void read_log(ObjectReader& root, Observability& out) {
  out.request_log = root.boolean("enableRequestLog").value_or(false);
  out.probe_request_log = root.boolean("enableProbeRequestLog").value_or(false);
  const std::string text = root.text("requestLogTemplate").value_or("");
  auto parsed = parse_log_template(text.empty() ? kDefaultLogTemplate : std::string_view(text));
  if (parsed) {
    out.request_log_template = std::move(*parsed);
    return;
  }
  // A template that is not used is nobody's problem: Knative parses it only when it is on.
  if (!out.request_log) return;
  for (const std::string& problem : parsed.error()) {
    root.report().say(root.path_of("requestLogTemplate"), problem);
  }
}

}  // namespace

Checked<Observability> parse_observability(std::string_view text, std::string_view where) {
  Observability out;
  const json document =
      text.empty() ? json::object() : json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) {
    return Problems{fmt::format("{}: {}", where, got_expected(in_quotes(text), "JSON"))};
  }
  Report report([where](const std::string& /*path*/) { return std::string(where); });
  ObjectReader root(&document, "", report, Unknown::ignored);
  read_request_metrics(root, out);
  read_log(root, out);
  ObjectReader tracing = root.object("tracing");
  if (protocol(tracing, {"none", "grpc", "http/protobuf", "stdout"}) != "none") {
    out.without_effect.emplace_back("tracing");
  }
  ObjectReader metrics = root.object("metrics");
  if (protocol(metrics, {"none", "prometheus", "grpc", "http/protobuf"}) != "none") {
    out.without_effect.emplace_back("metrics of the Go runtime");
  }
  ObjectReader runtime = root.object("runtime");
  if (runtime.text("profiling").value_or("") == "enabled") {
    out.without_effect.emplace_back("runtime profiling");
  }
  if (!report.problems().empty()) return report.problems();
  return out;
}

}  // namespace pilotlight::config
