#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/kube/json.h"

namespace pilotlight::kube {

/// What a Lease (coordination.k8s.io/v1) says of who leads.
struct LeaseRecord {
  std::string holder;  ///< "": nobody, it was given back.
  std::chrono::seconds duration{};
  std::int64_t transitions = 0;  ///< How often the holder has changed.
  std::string resource_version;

  bool operator==(const LeaseRecord&) const = default;
};

/// Reads a Lease object. What is absent reads as "nobody leads".
[[nodiscard]] LeaseRecord read_lease(const Json& lease);

/// Who leads, decided as client-go's leaderelection does: a holder renews; another takes the lease
/// once it has seen no renewal for its duration, by its own clock alone, or at once when it was
/// given back. A holder that could not renew for `renew_within` leads no longer: before anybody
/// else can have taken the lease, since that is less than `duration`.
///
/// Pure: told what was seen and what came of its own writes, it says what to write next. The API
/// server's resourceVersion decides between two that write at once.
class Election {
 public:
  struct Params {
    std::string identity;  ///< Different for each process that can hold the lease.
    std::chrono::seconds duration{4};
    Duration renew_within = std::chrono::milliseconds(2500);
    Duration renew_every = std::chrono::milliseconds(1250);  ///< An API request each, for ever.
    Duration retry_after = std::chrono::milliseconds(250);   ///< After a write that failed.
  };

  enum class Step : std::uint8_t {
    wait,    ///< Until due().
    create,  ///< There is no Lease.
    take,    ///< It has no holder, or one that has died.
    renew,   ///< It is ours.
  };

  explicit Election(Params params) : params_(std::move(params)) {}

  /// The Lease as it is now; none: there is none. From a watch, or the answer to a write of ours.
  void seen(std::optional<LeaseRecord> lease, TimePoint now);

  [[nodiscard]] Step next(TimePoint now) const;
  /// When next() may say something else, if nothing is seen before.
  [[nodiscard]] TimePoint due(TimePoint now) const;

  /// What to write for `step`: the Lease's spec. `wall` is for people alone.
  [[nodiscard]] Json spec_for(Step step, std::chrono::system_clock::time_point wall) const;
  /// The spec that gives the lease back: the next one need not wait.
  [[nodiscard]] Json released(std::chrono::system_clock::time_point wall) const;

  /// A write begun at `begun` was taken (`lease` is the answer).
  void wrote(LeaseRecord lease, TimePoint begun, TimePoint now);
  /// It was not, or nobody knows.
  void failed(TimePoint now) noexcept;

  [[nodiscard]] bool leading(TimePoint now) const noexcept;
  /// When it leads no longer unless it renews; max() when it does not lead.
  [[nodiscard]] TimePoint leads_until(TimePoint now) const noexcept;
  /// When the holder before us was last seen to lead, or to give the lease back; none if it is not
  /// known that there was one.
  [[nodiscard]] std::optional<TimePoint> vacant_since() const noexcept { return vacant_since_; }
  /// Who leads, as far as is known; "" when nobody.
  [[nodiscard]] const std::string& holder() const noexcept;
  /// Of the Lease that was seen last: what a write must name.
  [[nodiscard]] std::string resource_version() const;
  [[nodiscard]] const Params& params() const noexcept { return params_; }

 private:
  [[nodiscard]] bool ours() const noexcept { return lease_ && lease_->holder == params_.identity; }

  Params params_;
  bool known_ = false;  // whether there is a Lease has been seen
  std::optional<LeaseRecord> lease_;
  TimePoint changed_at_{};               // when we saw it change
  std::optional<TimePoint> renewed_at_;  // when our last successful write began
  std::optional<TimePoint> vacant_since_;
  TimePoint not_before_{};  // after a failure
};

}  // namespace pilotlight::kube
