#include "autoscaler/trace_json.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "config/json_reader.h"

namespace pilotlight::autoscaler {
namespace {

using config::ObjectReader;
using config::Report;
using nlohmann::json;

constexpr std::int64_t kLongestMs = 1'000'000'000'000;
constexpr double kLargest = 1e18;
constexpr std::int64_t kMostReplicas = std::numeric_limits<std::int32_t>::max();

double number(ObjectReader& reader, const char* key, double least, double most) {
  const json* value = reader.field(key);
  if (value != nullptr && value->is_number()) {
    const double got = value->get<double>();
    if (got >= least && got <= most) return got;
  }
  reader.report().wrong(reader.path_of(key), value == nullptr ? "nothing" : config::shown(*value),
                        fmt::format("a number in [{:g}, {:g}]", least, most));
  return least;
}

std::int64_t whole(ObjectReader& reader, const char* key, std::int64_t least, std::int64_t most) {
  if (!reader.has(key)) {
    reader.report().wrong(reader.path_of(key), "nothing",
                          fmt::format("an integer in [{}, {}]", least, most));
  }
  return reader.integer(key, least, most).value_or(least);
}

bool truth(ObjectReader& reader, const char* key) {
  if (!reader.has(key)) {
    reader.report().wrong(reader.path_of(key), "nothing", "true or false");
  }
  return reader.boolean(key).value_or(false);
}

/// One of two words; true for the second.
bool second_of(ObjectReader& reader, const char* key, std::string_view first,
               std::string_view second) {
  const std::string got = reader.text(key).value_or("");
  if (got != first && got != second) {
    reader.report().wrong(reader.path_of(key), config::in_quotes(got),
                          fmt::format("\"{}\" or \"{}\"", first, second));
  }
  return got == second;
}

TraceRules read_rules(ObjectReader& line) {
  constexpr std::int64_t kHour = 3600;
  TraceRules rules;
  ObjectReader in = line.object("policy");
  const bool rps = second_of(in, "metric", "concurrency", "rps");
  rules.signal.name = rps ? "rps" : "concurrency";
  rules.signal.target = number(in, "target", 0.01, kLargest);
  rules.signal.total = number(in, "total", 0.01, kLargest);
  Policy& policy = rules.policy;
  policy.target_burst_capacity = number(in, "target_burst_capacity", -1, kLargest);
  policy.max_up_rate = number(in, "max_scale_up_rate", 1, kLargest);
  policy.max_down_rate = number(in, "max_scale_down_rate", 1, kLargest);
  policy.panic_threshold = number(in, "panic_threshold", 0, kLargest);
  rules.stable_seconds = whole(in, "stable_window_s", 1, kHour);
  rules.panic_seconds = whole(in, "panic_window_s", 1, kHour);
  policy.stable_window = std::chrono::seconds(rules.stable_seconds);
  policy.scale_down_delay = std::chrono::seconds(whole(in, "scale_down_delay_s", 0, kHour));
  policy.activation_scale =
      static_cast<std::int32_t>(whole(in, "activation_scale", 1, kMostReplicas));
  const bool weighted = second_of(in, "algorithm", "linear", "weighted-exponential");
  rules.averaging = weighted ? Averaging::weighted_exponential : Averaging::linear;
  policy.reachable = truth(in, "reachable");
  rules.absence_means_unknown = truth(in, "absence_means_unknown");
  in.end();
  line.end();
  return rules;
}

TraceTick read_tick(ObjectReader& line, const json& value, std::int64_t ms) {
  TraceTick tick;
  tick.ms = ms;
  tick.ready = static_cast<std::int32_t>(whole(line, "ready", 0, kMostReplicas));
  tick.answered = value.contains("desired");
  if (line.has("desired")) {
    tick.desired = static_cast<std::int32_t>(whole(line, "desired", 0, kMostReplicas));
    tick.stable = number(line, "stable", 0, kLargest);
    tick.panic = number(line, "panic", 0, kLargest);
    tick.excess_burst_capacity =
        whole(line, "excess_burst_capacity", std::numeric_limits<std::int64_t>::min(),
              std::numeric_limits<std::int64_t>::max());
  } else {
    line.ignore({"stable", "panic", "excess_burst_capacity"});
  }
  return tick;
}

TraceLine read_line(ObjectReader& line, const json& value) {
  TraceLine out;
  const std::int64_t ms = whole(line, "ms", 0, kLongestMs);
  if (line.has("sample")) {
    TraceSample sample;
    sample.ms = ms;
    sample.value = number(line, "sample", 0, kLargest);
    out.what = sample;
  } else {
    out.what = read_tick(line, value, ms);
  }
  line.end();
  return out;
}

json answer(const TraceTick& tick, const std::optional<std::int32_t>& desired, double stable,
            double panic, std::int64_t excess) {
  json out = {{"ms", tick.ms}, {"ready", tick.ready}, {"desired", nullptr}};
  out["stable"] = desired ? json(stable) : json();
  out["panic"] = desired ? json(panic) : json();
  out["excess_burst_capacity"] = desired ? json(excess) : json();
  if (desired) out["desired"] = *desired;
  return out;
}

}  // namespace

config::Checked<Trace> read_trace(std::istream& in, const std::string& file) {
  Trace trace;
  std::string text;
  std::size_t number = 0;
  while (std::getline(in, text)) {
    ++number;
    Report report([&](const std::string&) { return fmt::format("{}:{}", file, number); });
    const json value = json::parse(text, nullptr, false);
    if (!value.is_object()) {
      report.wrong("", config::in_quotes(text), "a JSON object");
      return report.problems();
    }
    ObjectReader line(&value, "", report, config::Unknown::refused);
    if (number == 1) {
      if (!line.has("policy"))
        report.wrong("policy", "nothing", "the policy of the run");
      else
        trace.rules = read_rules(line);
    } else {
      trace.lines.push_back(read_line(line, value));
      trace.lines.back().number = number;
    }
    if (!report.problems().empty()) return report.problems();
  }
  if (number == 0) {
    return config::Problems{fmt::format("{}:1: got nothing, expected the policy of the run", file)};
  }
  return trace;
}

std::string decision_line(const TraceTick& tick, const Decision& decision) {
  return answer(tick, decision.desired, decision.stable, decision.panic,
                decision.excess_burst_capacity)
      .dump();
}

std::string answer_line(const TraceTick& tick) {
  return answer(tick, tick.desired, tick.stable, tick.panic, tick.excess_burst_capacity).dump();
}

std::string inputs_line(const TraceRules& rules, const TraceTick& tick, const Decision& decision) {
  const json out = {{"ms", tick.ms},
                    {"ready", tick.ready},
                    {"metric", rules.signal.name},
                    {"stable", decision.stable},
                    {"panic", decision.panic},
                    {"target", rules.signal.target},
                    {"total", rules.signal.total},
                    {"panicking", decision.panicking},
                    {"reason", to_string(decision.reason)}};
  return out.dump();
}

}  // namespace pilotlight::autoscaler
