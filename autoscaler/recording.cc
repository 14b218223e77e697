#include "autoscaler/recording.h"

#include <algorithm>
#include <set>

namespace pilotlight::autoscaler {
namespace {

/// Over `length` seconds, as the turn of this number could see it.
double average(const Recording& recording, std::int64_t length, std::size_t number) {
  const Averaging averaging = recording.turns[number].averaging;
  const TimeWindow::Second until = recording.turns[number].closed;
  TimeWindow window(length, averaging);
  std::int64_t zeros = 0;
  for (const auto& [second, told] : recording.seconds) {  // as Collector closes them
    if (second > until) break;
    const double demand = told.seen_by(number);
    zeros = demand > 0 ? 0 : zeros + 1;
    if (zeros >= length) window = TimeWindow(length, averaging);
    if (demand > 0 || window.last()) window.record(second, demand);
  }
  return window.average(until);
}

/// Whether `count` is among the numbers of the turns around `at`.
bool is_near(const std::vector<std::int32_t>& counts, std::size_t at, std::int32_t count) {
  const std::size_t last = std::min(at + 1, counts.size() - 1);
  for (std::size_t i = at == 0 ? 0 : at - 1; i <= last; ++i) {
    if (counts[i] == count) return true;
  }
  return false;
}

}  // namespace

double Recording::Told::seen_by(std::size_t turn) const {
  double demand = 0;
  for (const Had& had : most) {
    if (had.turns <= turn) demand = had.demand;
  }
  return demand;
}

double Recording::largest_difference() const {
  double largest = 0;
  for (const auto& [second, told] : seconds) {
    const auto [least, most] = std::minmax_element(
        told.by.begin(), told.by.end(),
        [](const auto& one, const auto& other) { return one.second < other.second; });
    largest = std::max(largest, most->second - least->second);
  }
  return largest;
}

AsOne take_as_one(const Recording& recording) {
  AsOne out;
  std::set<std::uint64_t> epochs;
  std::vector<std::int32_t> recorded;
  DeciderState state;
  bool begun = false;
  for (std::size_t number = 0; number < recording.turns.size(); ++number) {
    const RecordedTurn& turn = recording.turns[number];
    const LoggedDecision& logged = turn.logged;
    epochs.insert(turn.epoch);
    recorded.push_back(logged.desired());
    if (turn.returning) {
      ++out.held;
      out.wanted.push_back(logged.from());
      continue;
    }
    // Where the first one begins to decide; it waits for nobody any more.
    if (!begun || turn.given) state = logged.before;
    begun = true;
    Observation seen = logged.seen;
    if (!seen.signals.empty()) {  // the metric; other signals have windows of their own
      Signal& metric = seen.signals.front();
      const std::int64_t stable =
          std::chrono::duration_cast<std::chrono::seconds>(logged.policy.stable_window).count();
      metric.stable = average(recording, stable, number);
      metric.panic = average(recording, turn.panic_seconds, number);
    }
    const Decision decision = decide(seen, logged.policy, state, logged.at);
    out.wanted.push_back(decision.desired.value_or(logged.from()));
  }
  out.processes = epochs.size();
  out.agreed = out.patient = recorded.size();
  for (std::size_t i = recorded.size(); i-- > 0;) {
    const RecordedTurn& turn = recording.turns[i];
    if (turn.returning && recorded[i] < turn.logged.from()) out.patient = i;
    if (recorded[i] != out.wanted[i]) ++out.different;
    const bool near = is_near(out.wanted, i, recorded[i]) && is_near(recorded, i, out.wanted[i]);
    if (!near) out.agreed = i;
  }
  return out;
}

}  // namespace pilotlight::autoscaler
