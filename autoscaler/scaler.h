#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>

#include "autoscaler/decider.h"
#include "autoscaler/scale_target.h"
#include "common/async/scope.h"
#include "common/base/error.h"
#include "common/wire/frames.h"

namespace pilotlight::autoscaler {

/// A change of replicas, with what is told about it afterwards.
struct Change {
  std::int32_t from = 0;
  std::int32_t to = 0;
  Reason reason = Reason::load;
  std::string text;  ///< For people: why.
  std::optional<TimePoint> poked_at;
  TimePoint decided_at{};
};

/// An attempt that failed and will be repeated.
struct PatchFailure {
  ErrorCode error;
  unsigned attempt = 1;
  Duration took{};
  Duration retry_in{};
};

class ScalerListener {
 public:
  virtual ~ScalerListener() = default;
  virtual void scaled(const wire::RevisionKey& revision, const Change& change, unsigned attempt,
                      Duration took, TimePoint patched_at) = 0;
  virtual void patch_failed(const wire::RevisionKey& revision, const Change& change,
                            const PatchFailure& failure) = 0;
};

/// Carries changes to the ScaleTarget: at most one call per Deployment at a time, the newest wish
/// wins, failures are tried again after 20 ms doubling to 2 s. A Deployment that does not exist is
/// given up. One shard; its tasks live in `scope`, which must be cancelled and joined before this
/// is destroyed.
class Scaler {
 public:
  Scaler(Scope& scope, Clock& clock, ScaleTarget& target, ScalerListener& listener,
         std::mt19937_64& random);

  void want(const wire::RevisionKey& revision, const std::string& deployment, Change change);

  /// The number that is on its way, if one is.
  [[nodiscard]] std::optional<std::int32_t> wanted(const wire::RevisionKey& revision) const;

  /// Nothing new is tried from here on.
  void close() noexcept { closed_ = true; }

  [[nodiscard]] std::uint64_t patches() const noexcept { return patches_; }
  [[nodiscard]] std::uint64_t failures() const noexcept { return failures_; }

 private:
  struct Job {
    std::string deployment;
    Change change;
    std::uint64_t number = 0;  // tells a newer wish from the one that was sent
  };

  [[nodiscard]] Task<> work(wire::RevisionKey revision);

  Scope& scope_;
  Clock& clock_;
  ScaleTarget& target_;
  ScalerListener& listener_;
  std::mt19937_64& random_;
  std::map<wire::RevisionKey, Job> jobs_;
  std::uint64_t wishes_ = 0;
  std::uint64_t patches_ = 0;
  std::uint64_t failures_ = 0;
  bool closed_ = false;
};

}  // namespace pilotlight::autoscaler
