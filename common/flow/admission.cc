#include "common/flow/admission.h"

#include "common/base/check.h"

namespace pilotlight {

/// A suspended acquire(). It lives in that coroutine's frame and leaves the queue with it, however
/// the frame ends.
struct Admission::Waiter {
  Waiter(Admission& a, Timer& t)
      : owner(a), timer(t), place(a.waiters_.insert(a.waiters_.end(), this)) {}
  ~Waiter() { leave(); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  void leave() noexcept {
    if (queued) owner.waiters_.erase(place);
    queued = false;
  }

  Admission& owner;
  Timer& timer;
  std::list<Waiter*>::iterator place;
  bool queued = true;
  std::optional<Permit> permit;  // set by grant()
};

Admission::~Admission() { PILOTLIGHT_CHECK(in_flight_ == 0 && waiters_.empty()); }

std::optional<Admission::Permit> Admission::try_acquire() noexcept {
  if (closed_ || in_flight_ >= params_.limit || !waiters_.empty()) return std::nullopt;
  ++in_flight_;
  return std::make_optional<Permit>(*this);
}

Task<Result<Admission::Permit>> Admission::acquire(TimePoint deadline,
                                                   Interruption& interruption) {
  if (closed_) co_return FlowError::draining;
  if (auto permit = try_acquire()) co_return std::move(*permit);
  if (waiters_.size() >= params_.queue_depth) co_return FlowError::queue_full;

  const auto timer = clock_.make_timer();
  Waiter waiter(*this, *timer);
  const Interruption::Target target(
      interruption, [](void* waiting) { static_cast<Timer*>(waiting)->cancel(); }, timer.get());
  const bool expired = co_await timer->wait_until(deadline);

  // A grant that raced with the deadline wins: the slot is already ours.
  if (waiter.permit) co_return std::move(*waiter.permit);
  if (expired || interruption.cause() == Cause::deadline) co_return FlowError::deadline_exceeded;
  if (interruption.cause() == Cause::left) co_return FlowError::downstream_gone;
  co_return FlowError::draining;
}

void Admission::set_limit(std::uint32_t limit) {
  params_.limit = limit;
  grant();
}

void Admission::close() {
  closed_ = true;
  for (Waiter* waiter : waiters_) waiter->timer.cancel();
}

void Admission::release() noexcept {
  PILOTLIGHT_CHECK(in_flight_ > 0);
  --in_flight_;
  grant();
}

void Admission::grant() noexcept {
  while (!closed_ && in_flight_ < params_.limit && !waiters_.empty()) {
    Waiter& oldest = *waiters_.front();
    oldest.leave();
    oldest.permit.emplace(*this);
    ++in_flight_;
    oldest.timer.cancel();
  }
}

}  // namespace pilotlight
