#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "autoscaler/sender_balance.h"
#include "common/base/clock.h"
#include "common/stats/growth.h"
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

[[nodiscard]] inline SourceId source_of(const wire::Hello& hello) {
  return {hello.role, hello.replica, hello.epoch};
}

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
/// 750 ms after its end; averages are taken at the newest such second, so none is half full. A
/// source at rest says so by 300 ms of silence: it would report new load within its period. What
/// comes later is added to its second. After a whole window of zeros the windows start anew: the
/// first second of new load counts in full, as with Knative, where an idle revision sends nothing.
///
/// The first report of a source is only a mark to count from.
///
/// Requests that sidecars have from activators, and that no activator reports, count as well: an
/// activator that cannot be heard may serve all the same (SenderBalance).
///
/// What a source measured before this process began comes as HISTORY: seconds that enter the
/// windows as if they had been reported, once per source, and its reports count from where they
/// end. Between await_history() and begin() nothing enters the windows; begin() then takes all
/// seconds in order, the replayed and the reported, so that the windows are those of a process that
/// was there all the time. One shard; pure.
class Collector {
 public:
  explicit Collector(TimePoint now);

  /// The shape from now on. Other window lengths keep what they can; another metric starts anew.
  void reshape(const WindowShape& shape);

  /// A source at rest is silent for so much more than 300 ms before it counts as heard, so that
  /// thousands of collectors do not close their seconds at one instant; at most 400 ms.
  void spread(Duration more) noexcept;

  void report(const SourceId& source, const wire::Stats& stats, TimePoint now);

  /// Seconds that the source measured before `until`. Known by its epoch and their instant: told
  /// again they replace each other, and a source that is being counted has nothing to replay.
  void history(const SourceId& source, const wire::History& history, TimePoint now);
  /// The source has said all of it: now it counts.
  void history_end(const SourceId& source);

  /// The windows wait for histories, until begin().
  void await_history() noexcept { awaiting_ = true; }
  void begin();
  [[nodiscard]] bool awaiting() const noexcept { return awaiting_; }

  /// Whether activators have replayed at least what sidecars say that activators sent them. If not,
  /// one of those is still to come.
  [[nodiscard]] bool senders_known() const noexcept;

  /// The source's connection is gone: what it says is present does not count any more. When it is
  /// back within 10 s, what happened meanwhile is still counted.
  void lost(const SourceId& source, TimePoint now);

  /// Brings the windows up to `now`. `known`: somebody is connected who would have told of demand,
  /// so a second without a report is a second without load. Call it several times a second: it
  /// looks at the sources only when a second may have become complete.
  /// @return whether the windows went on; true too while they wait for histories.
  bool advance(TimePoint now, bool known);

  [[nodiscard]] double stable() const { return stable_.average(closed_); }
  [[nodiscard]] double panic() const { return panic_.average(closed_); }

  /// Requests that are somewhere now, by gauges younger than 5 s of connected sources. One that is
  /// both in an activator and in a sidecar counts twice: it only tells some from none.
  [[nodiscard]] std::uint32_t present(TimePoint now) const;

  /// Requests that run or wait in a replica, by its sidecar's newest report; 0 when there is none.
  [[nodiscard]] std::uint32_t present_in(const std::string& replica) const;

  /// No wait counts as longer than a replica had been ready at the end of its second; without one
  /// none counts. Waiting for a start says nothing about how many replicas the load needs.
  void limit_waits(std::optional<TimePoint> ready_since);

  /// Averages of each second's longest wait for a permit, in seconds.
  [[nodiscard]] double stable_wait() const { return stable_wait_.average(closed_); }
  [[nodiscard]] double panic_wait() const { return panic_wait_.average(closed_); }

  /// Is told of every second that is closed, with the demand that went into the windows; and again
  /// of what is added to it late.
  using OnSecond = std::function<void(TimeWindow::Second, double demand, bool late)>;
  void watch(OnSecond on_second) { on_second_ = std::move(on_second); }
  [[nodiscard]] TimeWindow::Second newest() const noexcept { return closed_; }

  /// Whether activators send requests that none of them reports.
  [[nodiscard]] bool sender_missing() const noexcept { return balance_.missing(); }

  /// Whether a connected source has reported.
  [[nodiscard]] bool has_sources() const noexcept;

 private:
  /// What grew, in millionths of a request (or of a request-second).
  struct Load {
    std::uint64_t all = 0;
    std::uint64_t proxied = 0;
    std::uint64_t time_us = 0;  // request-microseconds, whatever is measured
    std::uint64_t proxied_time_us = 0;
    std::uint64_t wait_us = 0;
  };
  struct Source {
    LoadSnapshot last;
    TimePoint heard;
    std::int64_t offset_us = 0;   // our clock minus theirs, of the fastest delivery
    std::int64_t covered_us = 0;  // our time until which it has reported
    bool rests = false;           // nobody was there, and nobody came, between its last two reports
    bool connected = true;
    bool counted = false;                       // by reports, or by a history that has ended
    std::map<TimeWindow::Second, Load> before;  // of a history that has not ended
  };

  /// Seconds that are not in the windows yet.
  struct Open {
    double demand_u = 0;  // millionths
    std::uint64_t wait_us = 0;
    SenderBalance::Flow flow;
  };

  void mark(Source& source, const LoadSnapshot& load, TimePoint now);
  void count(wire::Role role, std::int64_t from_us, std::int64_t to_us, const Load& grown);
  void add(TimeWindow::Second second, double demand_u, const SenderBalance::Flow& flow);
  void add_late(TimeWindow::Second second, double demand_u);
  void note_wait(std::int64_t until_us, std::uint64_t wait_us);
  void close(TimeWindow::Second second);
  void forget(TimePoint now);
  void heard_of(const Source& source) noexcept;

  WindowShape shape_;
  TimeWindow stable_;
  TimeWindow panic_;
  TimeWindow stable_wait_;
  TimeWindow panic_wait_;
  std::optional<TimePoint> ready_since_;
  bool waits_limited_ = false;
  std::map<SourceId, Source> sources_;
  std::map<TimeWindow::Second, Open> open_;
  TimeWindow::Second closed_;                 // the newest second that is in the windows
  std::optional<TimeWindow::Second> marked_;  // a loaded source was first heard of in it
  std::int64_t rest_us_ = 300'000;            // a report period, and its way
  const Source* awaited_ = nullptr;           // the next second waits for it; only compared
  std::int64_t look_again_us_ = 0;            // no second closes before, unless it is heard of
  std::int64_t zeros_ = 0;                    // how many seconds without load in a row
  bool awaiting_ = false;
  SenderBalance balance_;
  OnSecond on_second_;
  double replayed_proxied_u_ = 0;  // what sidecars replayed of activators' requests
  double replayed_sent_u_ = 0;     // what activators did
};

}  // namespace pilotlight::autoscaler
