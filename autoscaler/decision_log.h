#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>

#include "autoscaler/decider.h"
#include "common/wire/frames.h"

namespace pilotlight::autoscaler {

/// All that went into a decision and what came out: decide() over the first four gives the last
/// again, to the bit.
struct LoggedDecision {
  TimePoint at{};
  Observation seen;
  Policy policy;
  DeciderState before;
  Decision decision;
  std::int64_t unix_ms = 0;  ///< For people; nothing was decided by it.

  [[nodiscard]] std::int32_t from() const noexcept { return seen.replicas; }
  [[nodiscard]] std::int32_t desired() const noexcept {
    return decision.desired.value_or(seen.replicas);
  }
  /// The signal that asked for most; an empty one when there was none.
  [[nodiscard]] Signal leading() const {
    return decision.leading < seen.signals.size() ? seen.signals[decision.leading] : Signal();
  }
};

/// The decisions that changed something, or were taken for another reason than the one before.
/// Bounded: 16 a revision, 10,000 in total (the revision with most gives way).
class DecisionLog {
 public:
  /// @return whether it is kept.
  bool add(const wire::RevisionKey& revision, const LoggedDecision& decision);
  void forget(const wire::RevisionKey& revision);
  [[nodiscard]] const std::deque<LoggedDecision>& of(const wire::RevisionKey& revision) const;
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  std::map<wire::RevisionKey, std::deque<LoggedDecision>> logs_;
  std::size_t size_ = 0;
};

}  // namespace pilotlight::autoscaler
