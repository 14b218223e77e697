#include "autoscaler/story.h"

#include <fmt/format.h>

namespace pilotlight::autoscaler {
namespace {

std::string demand(const LoggedDecision& logged, double average, std::int64_t seconds) {
  const Signal signal = logged.leading();
  if (signal.kind != SignalKind::average) {
    return fmt::format("{} {:.3g} over the last {} s, {:.3g} wanted", signal.name, average, seconds,
                       signal.target);
  }
  return fmt::format("{:.1f} requests {} over the last {} s, {:.4g} wanted per replica", average,
                     signal.name == "rps" ? "a second" : "at once", seconds, signal.target);
}

std::string why(const LoggedDecision& logged, const Subject& subject) {
  const Decision& decision = logged.decision;
  const WindowShape shape = shape_of(subject.view.policy);
  switch (decision.reason) {
    case Reason::poke:
      return fmt::format("{} request{} parked and no replica ready", logged.seen.poke.value_or(0),
                         logged.seen.poke == 1U ? "" : "s");
    case Reason::panic: {
      if (subject.arriving_until)
        return "it ran before it became ours, and its load is not known yet";
      const bool sudden = decision.panic >= decision.stable;
      if (sudden && decision.panic == 0) {
        return fmt::format(
            "no load measured over the last {} s, but nothing goes down within a window of a panic",
            shape.panic_seconds);
      }
      return sudden ? demand(logged, decision.panic, shape.panic_seconds)
                    : demand(logged, decision.stable, shape.stable_seconds) +
                          ", and it panicked within that time";
    }
    case Reason::load:
      if (decision.stable == 0) {
        return fmt::format("no request for {} s; some at a time", shape.stable_seconds);
      }
      return demand(logged, decision.stable, shape.stable_seconds);
    case Reason::idle:
      return logged.from() == 0 ? "no request, and nothing runs"
                                : fmt::format("no request for {} s", shape.stable_seconds);
    case Reason::delay: return "scale-down-delay keeps what was wanted before";
    case Reason::in_flight: return fmt::format("{} in flight or parked", logged.seen.waiting_now);
    case Reason::activating: return "woken, and not ready for a whole window yet";
    case Reason::retention: return "the retention period of the last replica";
    case Reason::grace: return "the activator has just come into the path";
    case Reason::floor: return fmt::format("the floor is {} at this time", logged.seen.floor);
    case Reason::no_activator: return "no activator is connected that could wake it";
    case Reason::initial: return "initial-scale, until one window after it was ready";
    case Reason::bounds:
      if (decision.limited) return fmt::format("max-scale is {}", logged.desired());
      return logged.policy.min_scale == 0 ? "enable-scale-to-zero is false"
                                          : fmt::format("min-scale is {}", logged.policy.min_scale);
    case Reason::hold: return "counts are held after a restart of the autoscaler";
    case Reason::unknown:
      if (decision.desired) return "a signal is missing, so nothing is taken away";
      return "nobody is connected who could tell the demand";
  }
  return {};
}

}  // namespace

std::string explain(const LoggedDecision& decision, const Subject& subject) {
  std::string text = why(decision, subject);
  if (decision.decision.limited && decision.decision.reason != Reason::bounds) {
    text += fmt::format(", max-scale is {}", decision.desired());
  }
  return text;
}

}  // namespace pilotlight::autoscaler
