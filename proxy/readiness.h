#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "common/async/event.h"
#include "common/async/interruption.h"
#include "common/async/scope.h"
#include "proxy/probe.h"

namespace pilotlight::proxy {

/// How long a probe that has failed rests: 1 % of the time waited so far, 2 ms at the least and
/// 100 ms at the most, so that a start of milliseconds is seen in milliseconds and one of minutes
/// costs nothing. Pure.
[[nodiscard]] Duration probe_interval(Duration waited) noexcept;

/// Told what the readiness loop finds out.
class ReadinessListener {
 public:
  virtual ~ReadinessListener() = default;
  /// The app answers; durations since run() began.
  virtual void app_ready(Duration listening, Duration ready) = 0;
  /// The app refused a connection after it had been ready.
  virtual void app_lost() = 0;
};

/// Knows whether the app behind the sidecar is ready.
///
/// run() probes from the start until the app has answered, however long that takes, then says so
/// and rests until somebody reports a lost app, which starts it again. check() is what a kubelet
/// asks. All who want to know at one time share one round of probes: all probes in parallel, an
/// aggressive one (period 0) again and again until it has succeeded often enough in a row, the
/// others once; all must pass. A round that nobody waits for any more is cancelled; nothing is kept
/// of one but the successes in a row. Lives on the data shard.
class Readiness {
 public:
  /// Longest wait of a check() for an aggressive probe.
  static constexpr std::chrono::seconds kCheckTime{10};

  Readiness(Clock& clock, Scope& scope, Prober& prober, std::vector<ReadinessProbe> probes,
            ReadinessListener& listener);

  /// Probes until stop().
  [[nodiscard]] Task<> run();
  void stop() noexcept;

  /// Waits for the end of the round under way, or of a new one.
  /// @return whether the app is ready; false when `interruption` or kCheckTime came first.
  [[nodiscard]] Task<bool> check(Interruption& interruption);

  /// Somebody could not connect to the app.
  void lost();

  [[nodiscard]] bool ready() const noexcept { return ready_; }

 private:
  struct Round;
  using RoundPtr = std::shared_ptr<Round>;

  [[nodiscard]] Task<bool> join(TimePoint until, Interruption& interruption);
  [[nodiscard]] RoundPtr begin_round();
  [[nodiscard]] Task<> run_probe(RoundPtr round, std::size_t index);
  void end_round(Round& round, bool ok);
  void cancel(Round& round) noexcept;

  Clock& clock_;
  Scope& scope_;
  Prober& prober_;
  std::vector<ReadinessProbe> probes_;
  ReadinessListener& listener_;
  std::vector<std::uint32_t> successes_;  // in a row, one per probe; survive a round
  RoundPtr round_;                        // under way; null when nobody waits
  Interruption stop_;
  std::unique_ptr<Timer> pause_;
  TimePoint unready_since_;
  std::optional<TimePoint> listening_since_;
  bool ready_ = false;
};

}  // namespace pilotlight::proxy
