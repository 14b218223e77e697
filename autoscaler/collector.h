#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/stats/time_window.h"
#include "common/wire/frames.h"

namespace pilotlight::autoscaler {

/// One process that reports load: an activator or a sidecar since its start.
struct SourceId {
  wire::Role role = wire::Role::sidecar;
  std::string replica;
  std::uint64_t epoch = 0;

  friend auto operator<=>(const SourceId&, const SourceId&) = default;
};

/// What is measured, and over which seconds.
struct WindowShape {
  enum class Metric { concurrency, rps };
  Metric metric = Metric::concurrency;
  std::int64_t stable_seconds = 60;
  std::int64_t panic_seconds = 6;
  Averaging averaging = Averaging::linear;

  friend bool operator==(const WindowShape&, const WindowShape&) = default;
};

/// The demand for one revision, from what all its sources report.
///
/// Demand is what activators report plus what sidecars report that no activator sent: nothing
/// counts twice. What a source's counters grew by between two reports is spread over the seconds
/// that lie between them by the source's own clock, so early, late and bunched reports give the
/// same numbers. A second enters the windows when every connected source has reported beyond it, or
/// 750 ms after its end; averages are taken at the newest such second, so none is half full. What
/// comes later is added to its second. After a whole window of zeros the windows start anew: the
/// first second of new load counts in full, as with Knative, where an idle revision sends nothing.
///
/// The first report of a source is only a mark to count from. One shard; pure.
class Collector {
 public:
  explicit Collector(TimePoint now);

  /// The shape from now on. Other window lengths keep what they can; another metric starts anew.
  void reshape(const WindowShape& shape);

  void report(const SourceId& source, const wire::Stats& stats, TimePoint now);

  /// The source's connection is gone: what it says is present does not count any more. When it is
  /// back within 10 s, what happened meanwhile is still counted.
  void lost(const SourceId& source, TimePoint now);

  /// Brings the windows up to `now`. `known`: somebody is connected who would have told of demand,
  /// so a second without a report is a second without load. Call it several times a second.
  void advance(TimePoint now, bool known);

  [[nodiscard]] double stable() const { return stable_.average(closed_); }
  [[nodiscard]] double panic() const { return panic_.average(closed_); }

  /// Requests that are somewhere now, by gauges younger than 5 s of connected sources. One that is
  /// both in an activator and in a sidecar counts twice: it only tells some from none.
  [[nodiscard]] std::uint32_t present(TimePoint now) const;

  /// No wait counts as longer than that from here on: how long a replica has been ready. Waiting
  /// for a start says nothing about how many replicas the load needs.
  void limit_waits(Duration most);

  /// Averages of each second's longest wait for a permit, in seconds.
  [[nodiscard]] double stable_wait() const { return stable_wait_.average(closed_); }
  [[nodiscard]] double panic_wait() const { return panic_wait_.average(closed_); }

  /// Whether a connected source has reported.
  [[nodiscard]] bool has_sources() const noexcept;

 private:
  struct Source {
    LoadSnapshot last;
    TimePoint heard;
    std::int64_t offset_us = 0;   // our clock minus theirs, of the fastest delivery
    std::int64_t covered_us = 0;  // our time until which it has reported
    bool connected = true;
  };

  void spread(std::int64_t from_us, std::int64_t to_us, double amount);
  void add(TimeWindow::Second second, double amount);
  void close(TimeWindow::Second second);
  void forget(TimePoint now);

  WindowShape shape_;
  TimeWindow stable_;
  TimeWindow panic_;
  TimeWindow stable_wait_;
  TimeWindow panic_wait_;
  std::uint64_t longest_wait_us_ = 0;  // since the last second was closed
  std::uint64_t wait_limit_us_ = std::numeric_limits<std::uint64_t>::max();
  std::map<SourceId, Source> sources_;
  std::map<TimeWindow::Second, double> open_;  // seconds that are not in the windows yet
  TimeWindow::Second closed_;                  // the newest second that is in the windows
  std::optional<TimeWindow::Second> marked_;   // a loaded source was first heard of in it
  std::int64_t zeros_ = 0;                     // how many seconds without load in a row
};

}  // namespace pilotlight::autoscaler
