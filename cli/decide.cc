#include "cli/decide.h"

#include <cstdio>
#include <fstream>

#include "autoscaler/decision_json.h"
#include "autoscaler/recording.h"
#include "autoscaler/replay.h"
#include "autoscaler/trace_json.h"
#include "cli/line_file.h"
#include "common/kube/json.h"

namespace pilotlight::cli {
namespace {

constexpr int kExitDifferent = 1;
constexpr int kExitConfig = 78;

/// Whether the tick may pass; says why if not.
int check_tick(const std::string& file, const autoscaler::Trace& trace, std::size_t number,
               const autoscaler::TraceTick& tick, const autoscaler::Decision& decision) {
  if (!tick.answered) {
    std::fprintf(stderr, "pilotlight: %s:%zu: desired: got nothing, expected the answer to check\n",
                 file.c_str(), number);
    return kExitConfig;
  }
  if (agrees(tick, decision)) return 0;
  std::fprintf(stderr,
               "pilotlight: %s:%zu: the decision differs\n  recorded: %s\n  got:      %s\n"
               "  inputs:   %s\n",
               file.c_str(), number, answer_line(tick).c_str(),
               decision_line(tick, decision).c_str(),
               inputs_line(trace.rules, tick, decision).c_str());
  return kExitDifferent;
}

/// A line of the event log that is not about a decision.
bool is_other_event(const kube::Json& line) {
  const std::string_view event = kube::text(line, {"event"});
  return !event.empty() && event != "decision";
}

enum class Written { run, decisions, recording };

/// A file that the autoscaler has written begins with a decision and all its inputs or another
/// event, or with a second or a turn of a recording.
Written written(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    const auto value = kube::parse_json(line);
    if (!value) continue;  // cut short by a crash
    const bool recorded =
        kube::find(*value, {"turn"}) != nullptr || kube::find(*value, {"second"}) != nullptr;
    if (recorded) return Written::recording;
    const bool logged = is_other_event(*value) || kube::find(*value, {"seen"}) != nullptr;
    return logged ? Written::decisions : Written::run;
  }
  return Written::run;
}

/// A check that has compared nothing has not passed.
int checked(const std::string& file, std::size_t decisions) {
  if (decisions > 0) return 0;
  std::fprintf(stderr, "pilotlight: %s: got no decision to check, expected one at least\n",
               file.c_str());
  return kExitConfig;
}

/// A decision with all that same() compares.
std::string whole_line(const autoscaler::TraceTick& tick, const autoscaler::Decision& decision) {
  kube::Json line = kube::parse_json(decision_line(tick, decision)).value_or(kube::Json::object());
  line["reason"] = to_string(decision.reason);
  line["leading"] = decision.leading;
  line["panicking"] = decision.panicking;
  line["limited"] = decision.limited;
  line["direct"] = decision.direct;
  return line.dump();
}

/// Says at which turn of a recording something is not as it should be.
int differs(const std::string& name, const autoscaler::RecordedTurn& turn, std::int32_t wanted,
            const char* what) {
  std::fprintf(stderr, "pilotlight: %s: at %lld ms: %s\n  recorded: %d (%s)\n  as one:   %d\n",
               name.c_str(), static_cast<long long>(turn.logged.unix_ms), what,
               turn.logged.desired(), std::string(to_string(turn.logged.decision.reason)).c_str(),
               wanted);
  return kExitDifferent;
}

/// A run of several processes, as one of them would have taken it.
int decide_as_one(const std::string& file, bool check) {
  std::ifstream in(file);
  const auto recordings = autoscaler::read_recording(in, file);
  if (!recordings) {
    for (const std::string& problem : recordings.error()) {
      std::fprintf(stderr, "pilotlight: %s\n", problem.c_str());
    }
    return kExitConfig;
  }
  std::size_t all_turns = 0;
  for (const auto& [name, recording] : *recordings) {
    all_turns += recording.turns.size();
    if (recording.turns.empty()) continue;
    const autoscaler::AsOne one = take_as_one(recording);
    const auto& turns = recording.turns;
    for (std::size_t i = 0; !check && i < turns.size(); ++i) {
      std::printf("{\"ms\": %lld, \"recorded\": %d, \"as_one\": %d, \"returning\": %s}\n",
                  static_cast<long long>(turns[i].logged.unix_ms), turns[i].logged.desired(),
                  one.wanted[i], turns[i].returning ? "true" : "false");
    }
    if (!check) continue;
    if (one.patient < turns.size()) {
      return differs(name, turns[one.patient], one.wanted[one.patient],
                     "replicas were taken away before the replay was complete");
    }
    if (one.agreed < turns.size()) {
      return differs(name, turns[one.agreed], one.wanted[one.agreed],
                     "the decision differs for more than a turn");
    }
    std::printf(
        "%s: %zu turns of %zu processes agree, %zu of them a turn late, %zu held; seconds "
        "differ by at most %.6f\n",
        name.c_str(), turns.size(), one.processes, one.different, one.held,
        recording.largest_difference());
  }
  return check ? checked(file, all_turns) : 0;
}

/// Every decision of such a file; each has its state with it, so that none depends on another.
int decide_again(const std::string& file, bool check) {
  std::ifstream in(file);
  std::size_t number = 0;
  std::size_t decisions = 0;
  for (std::string line; std::getline(in, line);) {
    const std::string where = file + ":" + std::to_string(++number);
    const auto value = kube::parse_json(line);
    if (!value || is_other_event(*value)) continue;
    const auto logged = autoscaler::read_decision(line, where);
    if (!logged) {
      for (const std::string& problem : logged.error()) {
        std::fprintf(stderr, "pilotlight: %s\n", problem.c_str());
      }
      return kExitConfig;
    }
    autoscaler::LoggedDecision again = *logged;
    autoscaler::DeciderState state = logged->before;
    again.decision = decide(logged->seen, logged->policy, state, logged->at);
    ++decisions;
    autoscaler::TraceTick tick;
    tick.ms = logged->unix_ms;
    tick.ready = logged->seen.ready;
    if (!check) {
      std::puts(decision_line(tick, again.decision).c_str());
    } else if (!same(again.decision, logged->decision)) {
      std::fprintf(stderr,
                   "pilotlight: %s: the decision differs\n  recorded: %s\n  got:      %s\n"
                   "  inputs:   %s\n",
                   where.c_str(), whole_line(tick, logged->decision).c_str(),
                   whole_line(tick, again.decision).c_str(), line.c_str());
      return kExitDifferent;
    }
  }
  if (!check) return 0;
  if (const int code = checked(file, decisions)) return code;
  std::printf("%s: %zu decisions agree\n", file.c_str(), decisions);
  return 0;
}

}  // namespace

int decide_file(const std::string& file, bool check) {
  LineFile first(file);
  std::string ignored;
  if (!first.next(ignored) && first.error() != 0) {
    say_unreadable(file, first.error());
    return kExitConfig;
  }
  switch (written(file)) {
    case Written::decisions: return decide_again(file, check);
    case Written::recording: return decide_as_one(file, check);
    case Written::run: break;
  }
  std::ifstream in(file);
  const auto trace = autoscaler::read_trace(in, file);
  if (!trace) {
    for (const std::string& problem : trace.error()) {
      std::fprintf(stderr, "pilotlight: %s\n", problem.c_str());
    }
    return kExitConfig;
  }
  autoscaler::Replay replay(trace->rules);
  std::size_t ticks = 0;
  for (const autoscaler::TraceLine& line : trace->lines) {
    if (const auto* sample = std::get_if<autoscaler::TraceSample>(&line.what)) {
      replay.sample(*sample);
      continue;
    }
    const auto& tick = std::get<autoscaler::TraceTick>(line.what);
    const autoscaler::Decision decision = replay.decide(tick);
    ++ticks;
    if (!check) {
      std::puts(decision_line(tick, decision).c_str());
    } else if (const int code = check_tick(file, *trace, line.number, tick, decision)) {
      return code;
    }
  }
  if (!check) return 0;
  if (const int code = checked(file, ticks)) return code;
  std::printf("%s: %zu decisions agree\n", file.c_str(), ticks);
  return 0;
}

}  // namespace pilotlight::cli
