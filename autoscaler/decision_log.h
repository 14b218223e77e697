#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>

#include "autoscaler/decider.h"
#include "common/wire/frames.h"

namespace pilotlight::autoscaler {

/// What went into a decision and what came out, kept for `status`.
struct LoggedDecision {
  std::int64_t unix_ms = 0;
  Reason reason = Reason::unknown;
  std::int32_t from = 0;
  std::int32_t desired = 0;
  std::int32_t ready = 0;
  double stable = 0;
  double panic = 0;
  double target = 0;
  std::uint32_t present = 0;  ///< In flight or parked somewhere.
  std::uint32_t parked = 0;   ///< Of a POKE; 0 without one.
  bool limited = false;       ///< max-scale allowed no more.
};

/// The decisions that changed something, or were taken for another reason than the one before.
/// Bounded: 256 a revision, 10,000 in total (the revision with most gives way).
class DecisionLog {
 public:
  void add(const wire::RevisionKey& revision, const LoggedDecision& decision);
  void forget(const wire::RevisionKey& revision);
  [[nodiscard]] const std::deque<LoggedDecision>& of(const wire::RevisionKey& revision) const;
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  std::map<wire::RevisionKey, std::deque<LoggedDecision>> logs_;
  std::size_t size_ = 0;
};

}  // namespace pilotlight::autoscaler
