// Why this number of replicas and no other.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "cli/kept_until.h"
#include "cli/sentences.h"

namespace pilotlight::cli {
namespace {

using kube::Json;

double number(const Json& event, kube::Path path, double fallback) {
  const Json* value = kube::find(event, path);
  return value != nullptr && value->is_number() ? value->get<double>() : fallback;
}

/// The signal that asked for most, and what it should be: of a sum over all replicas what each
/// should have, else what the whole should be, which replicas follow in proportion.
struct Demand {
  double value = 0;
  double target = 0;
  double ready = 1;
  std::int64_t desired = 0;
  bool is_sum = true;

  [[nodiscard]] double quotient() const { return (is_sum ? 1 : ready) * value / target; }
  [[nodiscard]] double wanted() const { return std::ceil(quotient()); }
};

std::string text_of(double value) {
  const bool in_full = value >= 1000 && value < 1e15;  // beyond, digits tell nothing
  return in_full ? fmt::format("{:.0f}", value) : fmt::format("{:.4g}", value);
}

std::string ratio(const Demand& demand) {
  if (demand.is_sum) {
    return fmt::format("{} / {} per replica = {}", text_of(demand.value), text_of(demand.target),
                       text_of(demand.quotient()));
  }
  return fmt::format("{} ready x {} / {} = {}", text_of(demand.ready), text_of(demand.value),
                     text_of(demand.target), text_of(demand.quotient()));
}

std::string exactly(const Demand& demand) {
  const auto fewer = static_cast<double>(demand.desired - 1);
  std::string text = fmt::format("{}, so {}", ratio(demand), demand.desired);
  if (demand.is_sum && fewer >= 1) {
    text += fmt::format(": with {} each would have {}", demand.desired - 1,
                        text_of(demand.value / fewer));
  }
  return text;
}

/// Something kept the number below what demand asks for.
std::string fewer_than_wanted(const Demand& demand, const Json& decision) {
  std::string text = fmt::format("{}, so {} were wanted", ratio(demand), text_of(demand.wanted()));
  const double rate = number(decision, {"policy", "max_scale_up_rate"}, 0);
  if (kube::boolean(decision, {"limited"}, false)) return text + ", which is above max-scale";
  if (rate > 0 && std::ceil(rate * demand.ready) <= static_cast<double>(demand.desired)) {
    text += fmt::format(", but max-scale-up-rate {:.3g} allows {} from {} ready", rate,
                        demand.desired, text_of(demand.ready));
  }
  return text;
}

/// Something kept it above.
std::string more_than_wanted(const Demand& demand, const Json& decision) {
  std::string text = fmt::format("{}, so {} would do", ratio(demand), text_of(demand.wanted()));
  const double rate = number(decision, {"policy", "max_scale_down_rate"}, 0);
  const double least = number(decision, {"policy", "activation_scale"}, 1);
  if (kube::boolean(decision, {"panicking"}, false)) {
    return text + ", but nothing goes down within a window of a panic";
  }
  if (rate > 0 && std::floor(demand.ready / rate) == static_cast<double>(demand.desired)) {
    return text + fmt::format(", but max-scale-down-rate {:.3g} allows no fewer than {} from {}",
                              rate, demand.desired, text_of(demand.ready));
  }
  if (least == static_cast<double>(demand.desired)) {
    return text + fmt::format(", but activation-scale is {}", demand.desired);
  }
  return text;
}

}  // namespace

std::string arithmetic_of(const Json& decision) {
  const std::string_view reason = kube::text(decision, {"reason"});
  if (reason != "load" && reason != "panic" && reason != "poke") return kept_until(decision);
  const Json& signals = kube::array(decision, {"seen", "signals"});
  const std::int64_t leading = kube::integer(decision, {"leading"}).value_or(0);
  if (leading < 0 || leading >= std::ssize(signals)) return {};
  const Json& signal = signals[static_cast<std::size_t>(leading)];
  Demand demand;
  demand.target = number(signal, {"target"}, 0);
  const std::string_view kind = kube::text(signal, {"kind"});
  demand.is_sum = kind == "average";
  const bool known = demand.is_sum || kind == "value" || kind == "utilization";
  if (!(demand.target > 0) || !known) return {};
  demand.value = number(decision, {"stable"}, 0);
  if (reason != "load") demand.value = std::max(demand.value, number(decision, {"panic"}, 0));
  demand.ready = std::max(1.0, number(decision, {"seen", "ready"}, 0));
  demand.desired = kube::integer(decision, {"desired"}).value_or(0);
  if (!(demand.value > 0) || !std::isfinite(demand.wanted()) || demand.desired < 1) return {};
  const auto desired = static_cast<double>(demand.desired);
  if (demand.wanted() > desired) return fewer_than_wanted(demand, decision);
  if (demand.wanted() < desired) return more_than_wanted(demand, decision);
  return exactly(demand);
}

}  // namespace pilotlight::cli
