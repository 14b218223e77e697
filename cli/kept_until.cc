#include "cli/kept_until.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "cli/local_time.h"

namespace pilotlight::cli {
namespace {

using kube::Json;

constexpr double kSlot = 2;  // seconds: of before.delayed, as autoscaler/decider.h has it

/// A number that is not beyond what a line can mean; none for others.
std::optional<double> seconds(const Json& decision, kube::Path path) {
  constexpr double kMost = 1e9;
  const Json* value = kube::find(decision, path);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  const double got = value->get<double>();
  if (!(got >= 0 && got <= kMost)) return std::nullopt;
  return got;
}

/// The time of day so many seconds after the decision; "" when it does not say when it was.
std::string clock_at(const Json& decision, double later) {
  constexpr std::int64_t kMostMs = 4'000'000'000'000;
  const auto ms = kube::integer(decision, {"ms"});
  if (!ms || *ms < 0 || *ms > kMostMs) return {};
  return local_clock(*ms + std::llround(later * 1000));
}

/// The largest number of the last scale-down-delay stays until it is as old as that.
std::string delayed(const Json& decision) {
  const auto delay = seconds(decision, {"policy", "scale_down_delay_s"});
  const auto at_ns = kube::integer(decision, {"at_ns"});
  if (!delay || !at_ns) return {};
  const double at = static_cast<double>(*at_ns) / 1e9;
  const double slots = std::ceil(*delay / kSlot);
  for (const Json& entry : kube::array(decision, {"before", "delayed"})) {
    const auto slot = seconds(entry, {"slot"});
    const auto desired = kube::integer(entry, {"desired"});
    if (!slot || !desired || *slot <= std::floor(at / kSlot) - slots) continue;
    const std::string then = clock_at(decision, *slot * kSlot - at);
    const std::string until = clock_at(decision, (*slot + slots) * kSlot - at);
    if (then.empty()) return {};
    return fmt::format("{} wanted at {} {} kept until {}", *desired, then,
                       *desired == 1 ? "is" : "are", until);
  }
  return {};
}

/// `length` from the beginning of the older of these; what is null began with the decision.
std::string last_one(const Json& decision, std::string_view length,
                     std::initializer_list<std::string_view> began) {
  const auto whole = seconds(decision, {"policy", length});
  if (!whole || kube::find(decision, {"before"}) == nullptr) return {};
  double passed = 0;
  for (const std::string_view each : began) {
    passed = std::max(passed, seconds(decision, {"before", each}).value_or(0));
  }
  const std::string until = clock_at(decision, std::max(*whole - passed, 0.0));
  return until.empty() ? until
                       : fmt::format("the last one is kept until {} unless requests come", until);
}

}  // namespace

std::string kept_until(const Json& decision) {
  const std::string_view reason = kube::text(decision, {"reason"});
  if (reason == "delay") return delayed(decision);
  if (reason == "retention") return last_one(decision, "retention_s", {"idle_s"});
  if (reason == "grace") return last_one(decision, "grace_s", {"idle_s", "proxied_s"});
  return {};
}

}  // namespace pilotlight::cli
