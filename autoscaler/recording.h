#pragma once

#include <cstdint>
#include <istream>
#include <map>
#include <string>
#include <vector>

#include "autoscaler/decision_log.h"
#include "common/stats/time_window.h"
#include "config/problems.h"

/// Whole runs on disk: each second of demand as it entered the windows, and each turn with all that
/// was decided from, by however many processes one after the other. So a run in which autoscalers
/// died can be taken again by one that does not. JSON lines; the fields are in docs/autoscaling.md.
namespace pilotlight::autoscaler {

/// A turn of one revision.
struct RecordedTurn {
  LoggedDecision logged;
  std::uint64_t epoch = 0;        ///< Of the process.
  TimeWindow::Second closed = 0;  ///< The newest second in the windows.
  std::int64_t panic_seconds = 6;
  Averaging averaging = Averaging::linear;
  bool returning = false;  ///< What the process before knew was still awaited.
  bool given = false;      ///< What is remembered was changed before it, not by a decision.
};

[[nodiscard]] std::string second_line(const wire::RevisionKey& revision, std::uint64_t epoch,
                                      TimeWindow::Second second, double demand, bool late = false);
[[nodiscard]] std::string turn_line(const wire::RevisionKey& revision, const std::string& service,
                                    const RecordedTurn& turn);

/// What is in a recording of one revision.
struct Recording {
  /// Demand of a second.
  struct Had {
    double demand = 0;
    std::size_t turns = 0;  ///< Those that had been taken before it was known.
  };
  /// What was told of a second. One process that is there all the time knows what any of several
  /// did: a report that came when one had closed the second and was killed is late for it, and what
  /// the next one is told in the history.
  struct Told {
    std::map<std::uint64_t, double> by;  ///< Epoch of a process: the demand it had in the end.
    std::vector<Had> most;               ///< That any of them had; grows.

    /// As the turn of this number could see it; 0 before anything was told.
    [[nodiscard]] double seen_by(std::size_t turn) const;
  };
  std::map<TimeWindow::Second, Told> seconds;
  std::vector<RecordedTurn> turns;

  /// Between what two processes had of the same second in the end.
  [[nodiscard]] double largest_difference() const;
};

/// By "namespace/revision". A line that a crash has cut short is skipped.
[[nodiscard]] config::Checked<std::map<std::string, Recording>> read_recording(
    std::istream& in, const std::string& file);

/// A run taken again by one process that has been there all the time.
struct AsOne {
  std::vector<std::int32_t> wanted;  ///< At each turn.
  std::size_t processes = 0;
  std::size_t held = 0;       ///< Turns at which a process did not know enough yet.
  std::size_t different = 0;  ///< Turns at which the other number was wanted, but a turn later.
  /// The first turn whose number was not wanted by the other within one turn; all if none.
  std::size_t agreed = 0;
  /// The first turn that took replicas away before the replay was complete; all if none.
  std::size_t patient = 0;
};

/// Windows from the recorded demand, states from one decision to the next; of a turn only what was
/// there to be seen. Pure.
[[nodiscard]] AsOne take_as_one(const Recording& recording);

}  // namespace pilotlight::autoscaler
