// The lines of a recording, written and read.

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "autoscaler/decision_json.h"
#include "autoscaler/recording.h"

namespace pilotlight::autoscaler {
namespace {

using nlohmann::json;

std::string name_of(const json& line) {
  return line.value("namespace", std::string()) + "/" + line.value("revision", std::string());
}

void read_second(const json& line, Recording& recording) {
  Recording::Told& told = recording.seconds[line.value("second", std::int64_t{0})];
  double& had = told.by[line.value("epoch", std::uint64_t{0})];
  had += line.value("demand", 0.0);
  if (told.most.empty() || had > told.most.back().demand) {
    told.most.push_back({had, recording.turns.size()});
  }
}

config::Checked<RecordedTurn> read_turn(const json& line, const std::string& where) {
  const auto logged = read_decision(line.at("turn").dump(), where);
  if (!logged) return logged.error();
  RecordedTurn turn;
  turn.logged = *logged;
  turn.epoch = line.value("epoch", std::uint64_t{0});
  turn.closed = line.value("closed", std::int64_t{0});
  turn.panic_seconds = line.value("panic_window_s", std::int64_t{6});
  turn.averaging =
      line.value("exponential", false) ? Averaging::weighted_exponential : Averaging::linear;
  turn.returning = line.value("returning", false);
  turn.given = line.value("given", false);
  return turn;
}

}  // namespace

std::string second_line(const wire::RevisionKey& revision, std::uint64_t epoch,
                        TimeWindow::Second second, double demand, bool late) {
  json line = {{"namespace", revision.name_space},
               {"revision", revision.revision},
               {"epoch", epoch},
               {"second", second},
               {"demand", demand}};
  if (late) line["late"] = true;
  return line.dump();
}

std::string turn_line(const wire::RevisionKey& revision, const std::string& service,
                      const RecordedTurn& turn) {
  json line = {{"namespace", revision.name_space},
               {"revision", revision.revision},
               {"epoch", turn.epoch},
               {"closed", turn.closed},
               {"panic_window_s", turn.panic_seconds},
               {"exponential", turn.averaging == Averaging::weighted_exponential},
               {"returning", turn.returning},
               {"turn", json::parse(decision_json(revision, service, turn.logged, ""))}};
  if (turn.given) line["given"] = true;
  return line.dump();
}

config::Checked<std::map<std::string, Recording>> read_recording(std::istream& in,
                                                                 const std::string& file) {
  std::map<std::string, Recording> out;
  std::size_t number = 0;
  for (std::string text; std::getline(in, text);) {
    ++number;
    const json line = json::parse(text, nullptr, false);
    if (!line.is_object()) continue;
    const std::string where = fmt::format("{}:{}", file, number);
    try {
      Recording& recording = out[name_of(line)];
      if (line.contains("second")) read_second(line, recording);
      if (!line.contains("turn")) continue;
      auto turn = read_turn(line, where);
      if (!turn) return turn.error();
      recording.turns.push_back(std::move(*turn));
    } catch (const json::type_error& wrong) {
      return config::Problems{where + ": " + wrong.what()};
    }
  }
  return out;
}

}  // namespace pilotlight::autoscaler
