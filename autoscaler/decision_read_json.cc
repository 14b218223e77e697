// Reads the lines of a decision file back, for `pilotlight decide`.

#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "autoscaler/decision_json.h"
#include "config/json_reader.h"

namespace pilotlight::autoscaler {
namespace {

using config::ObjectReader;
using config::Report;
using nlohmann::json;

constexpr std::int64_t kMostReplicas = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
constexpr double kMostSeconds = 9e9;  // inside a Duration

/// Any number; what JSON cannot write (null) is no number.
double number(ObjectReader& in, const char* key) {
  const json* value = in.field(key);
  if (value == nullptr) return std::numeric_limits<double>::quiet_NaN();
  if (value->is_number()) return value->get<double>();
  in.report().wrong(in.path_of(key), config::shown(*value), "a number");
  return 0;
}

Duration time(ObjectReader& in, const char* key) {
  const double seconds = number(in, key);
  if (std::abs(seconds) <= kMostSeconds) return Duration(std::llround(seconds * 1e9));
  in.report().wrong(in.path_of(key), fmt::format("{}", seconds), "seconds");
  return {};
}

std::optional<TimePoint> ago(ObjectReader& in, const char* key, TimePoint now) {
  if (!in.has(key)) return std::nullopt;
  return now - time(in, key);
}

std::int64_t whole(ObjectReader& in, const char* key, std::int64_t least, std::int64_t most) {
  if (!in.has(key)) in.report().wrong(in.path_of(key), "nothing", "an integer");
  return in.integer(key, least, most).value_or(least);
}

std::int32_t count(ObjectReader& in, const char* key) {
  return static_cast<std::int32_t>(whole(in, key, 0, kMostReplicas));
}

bool truth(ObjectReader& in, const char* key) {
  if (!in.has(key)) in.report().wrong(in.path_of(key), "nothing", "true or false");
  return in.boolean(key).value_or(false);
}

Signal read_signal(ObjectReader in) {
  Signal out;
  out.name = in.text("name").value_or("");
  const std::string kind = in.text("kind").value_or("");
  if (kind == "value") {
    out.kind = SignalKind::value;
  } else if (kind == "utilization") {
    out.kind = SignalKind::utilization;
  } else if (kind != "average") {
    in.report().wrong(in.path_of("kind"), config::in_quotes(kind), "average, value or utilization");
  }
  out.known = truth(in, "known");
  out.stable = number(in, "stable");
  out.panic = number(in, "panic");
  out.target = number(in, "target");
  out.total = number(in, "total");
  return out;
}

Observation read_seen(ObjectReader in) {
  Observation out;
  const json::array_t& signals = in.list("signals");
  for (std::size_t i = 0; i < signals.size(); ++i) {
    out.signals.push_back(
        read_signal(ObjectReader(&signals[i], config::join(in.path_of("signals"), i), in.report(),
                                 config::Unknown::ignored)));
  }
  out.ready = count(in, "ready");
  out.replicas = count(in, "replicas");
  out.waiting_now = static_cast<std::uint32_t>(
      whole(in, "present", 0, std::numeric_limits<std::uint32_t>::max()));
  out.floor = count(in, "floor");
  if (in.has("parked")) {
    out.poke = static_cast<std::uint32_t>(
        whole(in, "parked", 0, std::numeric_limits<std::uint32_t>::max()));
  }
  out.can_wake = truth(in, "can_wake");
  return out;
}

Policy read_policy(ObjectReader in) {
  Policy out;
  out.max_up_rate = number(in, "max_scale_up_rate");
  out.max_down_rate = number(in, "max_scale_down_rate");
  out.panic_threshold = number(in, "panic_threshold");
  out.stable_window = time(in, "stable_window_s");
  out.scale_down_delay = time(in, "scale_down_delay_s");
  out.retention = time(in, "retention_s");
  out.grace = time(in, "grace_s");
  out.progress_deadline = time(in, "progress_deadline_s");
  out.activation_scale = count(in, "activation_scale");
  out.target_burst_capacity = number(in, "target_burst_capacity");
  out.reachable = truth(in, "reachable");
  out.scale_to_zero = truth(in, "scale_to_zero");
  out.min_scale = count(in, "min_scale");
  if (in.has("max_scale")) out.max_scale = count(in, "max_scale");
  out.initial_scale = count(in, "initial_scale");
  return out;
}

DeciderState read_state(ObjectReader in, TimePoint now) {
  DeciderState out;
  out.panic_since = ago(in, "panic_s", now);
  out.max_panic = count(in, "max_panic");
  const json::array_t& delayed = in.list("delayed");
  for (std::size_t i = 0; i < delayed.size(); ++i) {
    ObjectReader each(&delayed[i], config::join(in.path_of("delayed"), i), in.report(),
                      config::Unknown::ignored);
    const std::int64_t slot = whole(each, "slot", -kLargest, kLargest);
    out.delayed.emplace_back(slot, count(each, "desired"));
  }
  if (in.has("hold_s")) out.hold_until = now + time(in, "hold_s");
  out.initial_reached = truth(in, "initial_reached");
  out.initial_ready_since = ago(in, "initial_ready_s", now);
  out.activating_since = ago(in, "activating_s", now);
  out.active_since = ago(in, "active_s", now);
  out.idle_since = ago(in, "idle_s", now);
  out.proxied_since = ago(in, "proxied_s", now);
  return out;
}

Reason reason_of(const std::string& word) {
  for (int i = 0; i <= static_cast<int>(Reason::bounds); ++i) {
    if (to_string(static_cast<Reason>(i)) == word) return static_cast<Reason>(i);
  }
  return Reason::unknown;
}

Decision read_answer(ObjectReader& in) {
  Decision out;
  if (truth(in, "decided")) out.desired = count(in, "desired");
  out.reason = reason_of(in.text("reason").value_or(""));
  out.leading = static_cast<std::size_t>(whole(in, "leading", 0, 1000));
  out.stable = number(in, "stable");
  out.panic = number(in, "panic");
  out.panicking = truth(in, "panicking");
  out.limited = truth(in, "limited");
  out.excess_burst_capacity = whole(in, "excess_burst_capacity", -kLargest, kLargest);
  out.direct = truth(in, "direct");
  return out;
}

}  // namespace

config::Checked<LoggedDecision> read_decision(const std::string& line, const std::string& where) {
  constexpr std::int64_t kLatest = kLargest / 4;  // sums with any Duration of ours stay inside
  Report report([&where](const std::string&) { return where; });
  const json value = json::parse(line, nullptr, false);
  ObjectReader in(&value, "", report, config::Unknown::ignored);
  LoggedDecision out;
  out.unix_ms = whole(in, "ms", 0, kLatest);
  out.at = TimePoint(Duration(whole(in, "at_ns", 0, kLatest)));
  out.seen = read_seen(in.object("seen"));
  out.policy = read_policy(in.object("policy"));
  out.before = read_state(in.object("before"), out.at);
  out.decision = read_answer(in);
  if (!report.problems().empty()) return report.problems();
  return out;
}

bool same(const Decision& a, const Decision& b) noexcept {
  const auto alike = [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); };
  return a.desired == b.desired && a.reason == b.reason && a.leading == b.leading &&
         alike(a.stable, b.stable) && alike(a.panic, b.panic) && a.panicking == b.panicking &&
         a.limited == b.limited && a.excess_burst_capacity == b.excess_burst_capacity &&
         a.direct == b.direct;
}

}  // namespace pilotlight::autoscaler
