#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "autoscaler/decider.h"
#include "common/stats/time_window.h"

/// Recorded runs, taken again: load samples and decisions in order, under one policy. The format of
/// the files is in docs/autoscaling.md. Pure.
namespace pilotlight::autoscaler {

/// The rules of a run, with the shape of its windows.
struct TraceRules {
  Policy policy;
  Signal signal;  ///< Target and total; the averages come from the samples.
  std::int64_t stable_seconds = 60;
  std::int64_t panic_seconds = 6;
  Averaging averaging = Averaging::linear;
  bool absence_means_unknown = false;  ///< No sample in the stable window: no decision.
};

struct TraceSample {
  std::int64_t ms = 0;
  double value = 0;
};

/// A moment of decision, with the answer if the file has one.
struct TraceTick {
  std::int64_t ms = 0;
  std::int32_t ready = 0;
  bool answered = false;
  std::optional<std::int32_t> desired;  ///< None while answered: no decision was taken.
  double stable = 0;
  double panic = 0;
  std::int64_t excess_burst_capacity = 0;
};

struct TraceLine {
  std::size_t number = 0;  ///< In the file, from 1.
  std::variant<TraceSample, TraceTick> what;
};

struct Trace {
  TraceRules rules;
  std::vector<TraceLine> lines;
};

/// The decider over one run.
class Replay {
 public:
  explicit Replay(const TraceRules& rules);

  void sample(const TraceSample& sample);
  [[nodiscard]] Decision decide(const TraceTick& tick);

 private:
  TraceRules rules_;
  TimeWindow stable_;
  TimeWindow panic_;
  DeciderState state_;
};

/// Whether the decision is the recorded one: replicas and capacity exactly, averages to 1e-6.
[[nodiscard]] bool agrees(const TraceTick& recorded, const Decision& got);

}  // namespace pilotlight::autoscaler
