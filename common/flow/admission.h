#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <utility>

#include "common/async/interruption.h"
#include "common/base/clock.h"
#include "common/base/error.h"

namespace pilotlight {

/// Decides which requests of one revision may run, and in what order the others wait.
///
/// At most `limit` permits exist at once. Callers beyond that wait, first come first served, in a
/// queue of at most `queue_depth`; callers beyond that are refused at once. Both bounds are exact.
///
/// Allocates nothing for a waiter once as many have waited at once before.
///
/// One shard owns an Admission and makes every call to it. It must outlive its permits.
class Admission {
 public:
  struct Params {
    std::uint32_t limit = 1;          ///< Permits out at once. 0 is valid: everyone waits.
    std::uint32_t queue_depth = 100;  ///< Waiters at once. 0 is valid: never wait.
  };

  /// The right to occupy one slot. Destroying it frees the slot and wakes the next waiter, so keep
  /// it until the last byte of the *response body*, not of the header, has left.
  class [[nodiscard]] Permit {
   public:
    explicit Permit(Admission& owner) noexcept : owner_(&owner) {}
    Permit(Permit&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
    Permit& operator=(Permit&&) = delete;
    ~Permit() {
      if (owner_ != nullptr) owner_->release();
    }

   private:
    Admission* owner_;
  };

  static constexpr std::uint32_t kUnlimited = 0xffffffff;  ///< A limit that never bites.

  Admission(Clock& clock, Params params) : clock_(clock), params_(params) {}
  ~Admission();
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  /// A slot, if one is free and nobody waits for it: no suspension, no coroutine.
  [[nodiscard]] std::optional<Permit> try_acquire() noexcept;

  /// Waits for a slot until `deadline`, or until `interruption` is raised: then the place in the
  /// queue is free at once.
  /// @return the permit, or queue_full (at once), deadline_exceeded, downstream_gone, or draining.
  [[nodiscard]] Task<Result<Permit>> acquire(TimePoint deadline, Interruption& interruption);

  /// Changes the limit. Raising it wakes waiters; lowering it never revokes a permit.
  void set_limit(std::uint32_t limit);

  /// Refuses newcomers and fails all waiters with `draining`. Permits already out stay valid.
  void close();

  [[nodiscard]] std::uint32_t in_flight() const noexcept { return in_flight_; }
  [[nodiscard]] std::size_t waiting() const noexcept { return waiters_.size(); }
  /// How long the oldest waiter has waited; zero when none waits.
  [[nodiscard]] Duration oldest_wait(TimePoint now) const noexcept {
    return waiters_.empty() ? Duration::zero() : now - waiters_.front().since;
  }

 private:
  struct Waiter;  // lives in the frame of a suspended acquire()
  struct Place {
    Waiter* waiter;
    std::unique_ptr<Timer> timer;
    TimePoint since{};
  };

  void release() noexcept;
  void grant() noexcept;

  Clock& clock_;
  Params params_;
  bool closed_ = false;
  std::uint32_t in_flight_ = 0;
  std::list<Place> waiters_;  // front is oldest
  std::list<Place> granted_;  // have left the queue, and are about to run
  std::list<Place> spare_;    // of waits that are over: no more than ever waited at once
};

}  // namespace pilotlight
