#include "common/flow/admission.h"

#include "common/base/check.h"

namespace pilotlight {

/// A suspended acquire(). It lives in that coroutine's frame and leaves the queue with it, however
/// the frame ends. Its place, timer included, is used again by a later one.
struct Admission::Waiter {
  explicit Waiter(Admission& a) : owner(a), place(a.spare_.begin()) {
    if (place == a.spare_.end())
      place = a.spare_.insert(place, Place{nullptr, a.clock_.make_timer(), TimePoint()});
    place->waiter = this;
    place->since = a.clock_.now();
    a.waiters_.splice(a.waiters_.end(), a.spare_, place);
  }
  ~Waiter() {
    leave();
    owner.spare_.splice(owner.spare_.begin(), owner.granted_, place);
  }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  void leave() noexcept {
    if (queued) owner.granted_.splice(owner.granted_.begin(), owner.waiters_, place);
    queued = false;
  }
  [[nodiscard]] Timer& timer() const noexcept { return *place->timer; }

  Admission& owner;
  std::list<Place>::iterator place;
  bool queued = true;
  std::optional<Permit> permit;  // set by grant()
};

Admission::~Admission() { PILOTLIGHT_CHECK(in_flight_ == 0 && waiters_.empty()); }

std::optional<Admission::Permit> Admission::try_acquire() noexcept {
  if (closed_ || in_flight_ >= params_.limit || !waiters_.empty()) return std::nullopt;
  ++in_flight_;
  return std::make_optional<Permit>(*this);
}

Task<Result<Admission::Permit>> Admission::acquire(TimePoint deadline, Interruption& interruption) {
  if (closed_) co_return FlowError::draining;
  if (auto permit = try_acquire()) co_return std::move(*permit);
  if (waiters_.size() >= params_.queue_depth) co_return FlowError::queue_full;

  Waiter waiter(*this);
  const Interruption::Target target(
      interruption, [](void* waiting) { static_cast<Timer*>(waiting)->cancel(); }, &waiter.timer());
  const bool expired = co_await waiter.timer().wait_until(deadline);

  // A grant that raced with the deadline wins: the slot is already ours.
  if (waiter.permit) co_return std::move(*waiter.permit);
  if (expired) co_return FlowError::deadline_exceeded;
  if (interruption.raised()) co_return interruption.error();
  co_return FlowError::draining;  // close()
}

void Admission::set_limit(std::uint32_t limit) {
  params_.limit = limit;
  grant();
}

void Admission::close() {
  closed_ = true;
  for (Place& place : waiters_) place.timer->cancel();
}

void Admission::release() noexcept {
  PILOTLIGHT_CHECK(in_flight_ > 0);
  --in_flight_;
  grant();
}

void Admission::grant() noexcept {
  while (!closed_ && in_flight_ < params_.limit && !waiters_.empty()) {
    Waiter& oldest = *waiters_.front().waiter;
    oldest.leave();
    oldest.permit.emplace(*this);
    ++in_flight_;
    oldest.timer().cancel();
  }
}

}  // namespace pilotlight
