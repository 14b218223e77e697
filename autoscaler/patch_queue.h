#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "autoscaler/change.h"
#include "common/kube/back_off.h"
#include "common/wire/frames.h"

namespace pilotlight::autoscaler {

/// What waits to be told to the API, and when it may be: decides, does nothing.
///
/// One attempt per revision at a time, 16 in all. The newest change of a revision takes the place
/// of one that has not been sent. Nothing is lost: an attempt that failed is due again after 20 ms,
/// doubling to 2 s, each shortened at random by up to half, or when the API's Retry-After is over
/// (at most 60 s). Only a Deployment that does not exist is given up.
///
/// First attempts go before repeated ones, and of those wakes before the rest: somebody waits. At
/// most 100 failed attempts a second are repeated (200 at once): a repetition costs a token, which
/// it gets back when it is taken. So an API in trouble is not hammered, whatever the number of
/// revisions, and one that works again is told everything at full speed.
///
/// Pure; costs O(log revisions).
class PatchQueue {
 public:
  static constexpr std::size_t kInFlightLimit = 16;
  static constexpr double kRepeatsPerSecond = 100;
  static constexpr double kRepeatsAtOnce = 200;

  /// What is to be sent now. Hand it back to ended().
  struct Attempt {
    wire::RevisionKey revision;
    std::string deployment;
    Change change;
    std::uint64_t wish = 0;  // tells a newer change from the one that was sent
    unsigned number = 1;
    TimePoint sent_at{};
  };

  void want(const wire::RevisionKey& revision, const std::string& deployment, Change change);

  /// The change is not wanted any more. One that is on its way is not tried again.
  void forget(const wire::RevisionKey& revision);

  /// The next one to send. None: nothing may go out before next_due(), or something ends or is
  /// wanted.
  [[nodiscard]] std::optional<Attempt> next(TimePoint now);

  /// When next() may have something without anything else happening; max() if never.
  [[nodiscard]] TimePoint next_due(TimePoint now) const;

  [[nodiscard]] PatchOutcome ended(const Attempt& attempt, const PatchAnswer& answer, TimePoint now,
                                   std::mt19937_64& random);

  /// The number that is on its way or waits to be, if there is one.
  [[nodiscard]] std::optional<std::int32_t> wanted(const wire::RevisionKey& revision) const;

  /// How the newest attempt failed, while its revision waits for the next.
  [[nodiscard]] const PatchOutcome* failed(const wire::RevisionKey& revision) const;

  [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }
  /// Revisions with a change that is not on its way.
  [[nodiscard]] std::size_t waiting() const noexcept { return jobs_.size() - in_flight_; }

 private:
  enum class State : std::uint8_t { fresh, sent, resting, repeat };
  struct Job {
    std::string deployment;
    Change change;
    std::uint64_t wish = 0;
    State state = State::fresh;
    bool dropped = false;
    unsigned attempts = 0;  // that failed, in a row
    kube::BackOff back_off{std::chrono::milliseconds(20), std::chrono::seconds(2)};
    TimePoint due{};
    std::optional<PatchOutcome> failed;
  };
  using Jobs = std::map<wire::RevisionKey, Job>;
  using Turn = std::pair<bool, std::uint64_t>;  // not a wake, wish: wakes first, then oldest first
  using Turns = std::map<Turn, wire::RevisionKey>;

  void line_up(Turns& turns, const wire::RevisionKey& revision, Job& job, State state);
  void rest(const wire::RevisionKey& revision, Job& job, const PatchAnswer& answer, TimePoint now,
            std::mt19937_64& random);
  void rouse(TimePoint now);
  void refill(TimePoint now);

  Jobs jobs_;
  Turns fresh_;
  Turns repeats_;                                              // due again
  std::set<std::pair<TimePoint, wire::RevisionKey>> resting_;  // not yet
  std::size_t in_flight_ = 0;
  std::uint64_t wishes_ = 0;
  double tokens_ = kRepeatsAtOnce;
  TimePoint refilled_{};
};

}  // namespace pilotlight::autoscaler
