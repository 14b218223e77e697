#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "autoscaler/collector.h"
#include "common/stats/concurrency_meter.h"

namespace pilotlight::autoscaler {

/// What was refused of one revision since the last summary, and by whom.
struct RefusalSummary {
  Duration period{};  ///< Since the first of these.
  RefusalCounts activators{};
  RefusalCounts sidecars{};
  bool unseen = false;  ///< Some while no autoscaler was connected to who refused them.
};

/// Sums up what the sources of one revision refuse: one summary 1 s after the first, at most one
/// every 5 s, none while nothing is refused. The first report of a source is only a mark to count
/// from, unless its HISTORY has said how much of it an autoscaler before this one was told. Pure;
/// bounded by the sources that are connected or were within the last minute.
class Refusals {
 public:
  void report(const SourceId& source, const RefusalCounts& counted, TimePoint now);
  /// The source had told so much of it before it came here; nothing once it is being counted, that
  /// is after its second report: the first may come before its HISTORY.
  void told_before(const SourceId& source, const RefusalCounts& told);
  /// Its connection is gone. Counted on when it is back within a minute.
  void lost(const SourceId& source, TimePoint now);

  /// Whether there is something that no summary has told.
  [[nodiscard]] bool open() const noexcept { return since_.has_value(); }

  /// The summary that is due, if there is one.
  [[nodiscard]] std::optional<RefusalSummary> take(TimePoint now);

 private:
  enum class Counted {
    not_yet,         // one report, or none
    told_to_others,  // what another process was told of it is known
    here,
  };
  struct Known {
    RefusalCounts told{};
    Counted counted = Counted::not_yet;
    std::optional<TimePoint> lost_at{};  // nobody has listened to it since
  };

  std::map<SourceId, Known> known_;
  RefusalSummary open_;
  std::optional<TimePoint> since_;  // of the first in open_
  std::optional<TimePoint> told_at_;
};

}  // namespace pilotlight::autoscaler
