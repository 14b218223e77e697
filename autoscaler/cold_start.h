#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/metrics/histogram.h"

namespace pilotlight::autoscaler {

/// What a cold start is spent on, each named by what ends it.
enum class Phase : std::uint8_t {
  decide,      ///< The number of replicas was decided.
  patch,       ///< The API took it: its answer, or the first thing that it caused.
  scheduled,   ///< The Pod has a node.
  image,       ///< The container's image is there.
  init,        ///< Init containers are done.
  start,       ///< The process runs.
  listen,      ///< The app accepts connections.
  ready,       ///< Its sidecar's READY is here.
  first_byte,  ///< The first answer has begun.
};
inline constexpr std::size_t kPhases = 9;

/// "decide", ...: the label in metrics, JSON and sentences.
[[nodiscard]] std::string_view to_string(Phase phase) noexcept;

/// A length that a peer told, in microseconds; one beyond a day is a day.
[[nodiscard]] Duration told_length(std::uint64_t us) noexcept;

/// One wake that has led to a ready replica.
struct ColdStart {
  std::string replica;  ///< The first that was ready.
  /// What nobody told of, or told of a Pod too late to be put between its neighbours, is absent:
  /// its time is in the phase that follows.
  std::array<std::optional<Duration>, kPhases> phases;
  Duration to_ready{};             ///< From the first parked request, or from the decision.
  std::optional<Duration> waited;  ///< Until the first answer, if there was one.
};

/// Times the wakes of one revision, and learns how long they take. Pure: instants come in, in the
/// order in which they were heard of.
///
/// A wake begins with the decision that takes the revision from none to some. It is told when a
/// replica is ready, the API has answered and, if anybody was waiting, the first answer came; or
/// 5 s after the first replica was ready. Bounded: 64 Pods and 32 learned times.
class ColdStarts {
 public:
  ColdStarts();

  /// A request waits since `parked_at` and nothing runs.
  void poked(TimePoint parked_at);
  void woken(TimePoint decided_at);
  void patched(TimePoint now);
  /// The API has shown that this phase of a Pod is over: scheduled, image, init or start.
  void pod(const std::string& replica, Phase over, TimePoint now);
  /// `listening`: for how long its app's port has accepted before this was known here.
  void ready(const std::string& replica, Duration listening, TimePoint now);
  void answered(Duration waited);
  /// None are wanted any more: a wake that is still open has led to nothing.
  void asleep();

  /// A wake that has become complete, once.
  [[nodiscard]] std::optional<ColdStart> take(TimePoint now);

  /// Time from a wake until the first replica was ready, over the last 32; 0 while there is none.
  [[nodiscard]] std::uint64_t percentile_us(std::size_t percent) const;

  /// Microseconds per phase, of all wakes that were told.
  [[nodiscard]] const HistogramCells& times(Phase phase) const {
    return times_[static_cast<std::size_t>(phase)];
  }
  /// Whether a told wake had it.
  [[nodiscard]] bool seen(Phase phase) const noexcept {
    return seen_[static_cast<std::size_t>(phase)];
  }
  [[nodiscard]] const HistogramCells& times_to_ready() const { return times_to_ready_; }
  [[nodiscard]] const HistogramCells& times_to_answer() const { return times_to_answer_; }

 private:
  using Marks = std::array<std::optional<TimePoint>, kPhases>;
  struct Wake {
    TimePoint began{};
    bool awaited = false;  // somebody waits for its answer
    Marks marks;
    std::map<std::string, Marks> pods;
    std::string replica;  // the first that was ready
    std::optional<TimePoint> ready_at;
    std::optional<Duration> waited;
  };

  void learn(Duration to_ready);
  [[nodiscard]] static ColdStart story_of(const Wake& wake);

  std::optional<TimePoint> parked_at_;  // before the decision
  std::optional<Wake> wake_;
  std::deque<std::uint64_t> learned_us_;
  std::array<HistogramCells, kPhases> times_;
  std::array<bool, kPhases> seen_{};
  HistogramCells times_to_ready_;
  HistogramCells times_to_answer_;
};

}  // namespace pilotlight::autoscaler
