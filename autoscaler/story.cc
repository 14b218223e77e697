#include "autoscaler/story.h"

#include <fmt/format.h>

namespace pilotlight::autoscaler {
namespace {

std::string demand(const Subject& subject, double average, std::int64_t seconds, double target) {
  const bool rps = subject.view.policy.metric == config::ScalingPolicy::Metric::rps;
  return fmt::format("{:.1f} requests {} over the last {} s, {:.4g} wanted per replica", average,
                     rps ? "a second" : "at once", seconds, target);
}

std::string why(const LoggedDecision& decision, const Subject& subject) {
  const WindowShape shape = shape_of(subject.view.policy);
  switch (decision.reason) {
    case Reason::poke:
      return fmt::format("{} request{} parked and no replica ready", decision.parked,
                         decision.parked == 1 ? "" : "s");
    case Reason::panic: {
      const bool sudden = decision.panic >= decision.stable;
      return sudden ? demand(subject, decision.panic, shape.panic_seconds, decision.target)
                    : demand(subject, decision.stable, shape.stable_seconds, decision.target) +
                          ", and it panicked within that time";
    }
    case Reason::load:
      if (decision.stable == 0) {
        return fmt::format("no request for {} s; some at a time", shape.stable_seconds);
      }
      return demand(subject, decision.stable, shape.stable_seconds, decision.target);
    case Reason::idle: return fmt::format("no request for {} s", shape.stable_seconds);
    case Reason::delay: return "scale-down-delay keeps what was wanted before";
    case Reason::in_flight: return fmt::format("{} in flight or parked", decision.present);
    case Reason::activating: return "woken, and not ready for a whole window yet";
    case Reason::retention: return "the retention period of the last replica";
    case Reason::no_activator: return "no activator is connected that could wake it";
    case Reason::initial: return "initial-scale, until one window after it was ready";
    case Reason::bounds:
      return decision.desired < decision.from
                 ? fmt::format("max-scale is {}", decision.desired)
                 : fmt::format("min-scale is {}", subject.view.policy.min_scale);
    case Reason::hold: return "counts are held after a restart of the autoscaler";
    case Reason::unknown: return "nobody is connected who could tell the demand";
  }
  return {};
}

}  // namespace

std::string explain(const LoggedDecision& decision, const Subject& subject) {
  std::string text = why(decision, subject);
  if (decision.limited && decision.reason != Reason::bounds) {
    text += fmt::format(", max-scale is {}", decision.desired);
  }
  return text;
}

}  // namespace pilotlight::autoscaler
