#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <string>

#include "autoscaler/patch_queue.h"
#include "autoscaler/scale_target.h"
#include "common/async/scope.h"

namespace pilotlight::autoscaler {

class ScalerListener {
 public:
  virtual ~ScalerListener() = default;

  /// An attempt has ended, well or not. Called for every one.
  virtual void attempted(const wire::RevisionKey& revision, const PatchOutcome& outcome) = 0;
};

/// Carries changes to the ScaleTarget, as PatchQueue decides. One shard; its tasks live in `scope`,
/// which must be cancelled and joined before this is destroyed.
class Scaler {
 public:
  Scaler(Scope& scope, Clock& clock, ScaleTarget& target, ScalerListener& listener,
         std::mt19937_64& random);

  void want(const wire::RevisionKey& revision, const std::string& deployment, Change change);

  /// Nothing is tried for this one any more, unless it is wanted anew.
  void forget(const wire::RevisionKey& revision);

  /// Nothing new is tried from here on.
  void close() noexcept;

  [[nodiscard]] const PatchQueue& queue() const noexcept { return queue_; }
  /// Attempts that ended so, since the start.
  [[nodiscard]] std::uint64_t attempts(PatchResult result) const noexcept;
  /// Attempts that are neither taken nor given up: each was, or will be, followed by another.
  [[nodiscard]] std::uint64_t failures() const noexcept;

 private:
  [[nodiscard]] Task<> send(PatchQueue::Attempt attempt);
  [[nodiscard]] Task<> wait();
  void pump();

  Scope& scope_;
  Clock& clock_;
  ScaleTarget& target_;
  ScalerListener& listener_;
  std::mt19937_64& random_;
  PatchQueue queue_;
  std::array<std::uint64_t, kPatchResults> attempts_{};
  std::unique_ptr<Timer> pause_;
  TimePoint pause_until_ = TimePoint::max();
  bool waiting_ = false;  // wait() runs
  bool pumping_ = false;
  bool closed_ = false;
};

}  // namespace pilotlight::autoscaler
