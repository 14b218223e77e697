#include "activator/dispatcher.h"

#include "activator/retry_after.h"
#include "common/base/check.h"

namespace pilotlight::activator {

Dispatcher::Guest::~Guest() { PILOTLIGHT_CHECK(state_ == State::away); }

Dispatcher::Dispatcher(TimePoint now, std::uint32_t capacity, ParkBudget& budget,
                       DispatcherOutlet& outlet)
    : replicas_(capacity), budget_(budget), outlet_(outlet), meter_(now) {}

Dispatcher::~Dispatcher() { PILOTLIGHT_CHECK(guests_ == 0); }

void Dispatcher::arrive(Guest& guest, TimePoint now) {
  PILOTLIGHT_CHECK(guest.state_ == Guest::State::away);
  guest.state_ = Guest::State::present;
  guest.turn_ = next_turn_++;
  ++guests_;
  meter_.arrived(now, Via::client);
}

bool Dispatcher::place_now(Guest& guest, TimePoint now) {
  if (retired_) return false;
  if (!queue_.empty() && guest.turn_ > queue_.front().turn_) return false;
  Replica* replica = replicas_.choose(now);
  if (replica != nullptr) place(guest, *replica, now);
  return replica != nullptr;
}

Dispatcher::Asked Dispatcher::ask(Guest& guest, std::size_t bytes, TimePoint now) {
  PILOTLIGHT_CHECK(guest.state_ == Guest::State::present);
  if (!queue_.empty()) dispatch(now);  // a back-off may have ended just now
  if (place_now(guest, now)) return Asked::placed;
  guest.refusal_ = take_room(bytes);
  if (guest.refusal_ != Refusal::none) {
    const bool waking = replicas_.usable() == 0;
    guest.retry_after_ = retry_after_seconds(replicas_.learned(), waking, oldest_wait(now));
    return Asked::refused;
  }
  park(guest, bytes, now);
  watch_need(now);
  return Asked::parked;
}

Dispatcher::Asked Dispatcher::retry(Guest& guest, Finding finding, std::size_t bytes,
                                    TimePoint now) {
  PILOTLIGHT_CHECK(guest.state_ == Guest::State::placed);
  free_replica(guest, finding, now);
  if (wake_ && replicas_.usable() == 0) {
    wake_->endpoints_at = TimePoint();  // what seemed to be there was not: the wake goes on
    wake_->dispatched_at = TimePoint();
  }
  if (place_now(guest, now)) return Asked::placed;
  if (retired_) {
    guest.refusal_ = Refusal::gone;
    return Asked::refused;
  }
  budget_.take_again(bytes);
  park(guest, bytes, now);
  watch_need(now);
  return Asked::parked;
}

Refusal Dispatcher::take_room(std::size_t bytes) {
  const ParkLimits& limits = budget_.limits();
  if (retired_) return Refusal::gone;
  if (parked_count_ >= limits.requests) return Refusal::requests;
  if (bytes > limits.bytes || parked_bytes_ > limits.bytes - bytes) return Refusal::bytes;
  return budget_.take(bytes);
}

void Dispatcher::park(Guest& guest, std::size_t bytes, TimePoint now) {
  guest.state_ = Guest::State::parked;
  guest.bytes_ = bytes;
  guest.parked_at_ = now;
  ++parked_count_;
  parked_bytes_ += bytes;
  auto before = queue_.end();
  if (!queue_.empty() && guest.turn_ < queue_.back().turn_) {
    before = queue_.begin();
    while (before->turn_ < guest.turn_) ++before;
  }
  queue_.insert(before, guest);
}

void Dispatcher::unpark(Guest& guest) {
  queue_.erase(queue_.iterator_to(guest));
  --parked_count_;
  parked_bytes_ -= guest.bytes_;
  budget_.give(guest.bytes_);
  guest.state_ = Guest::State::present;
}

void Dispatcher::place(Guest& guest, Replica& replica, TimePoint now) {
  guest.state_ = Guest::State::placed;
  guest.replica_ = &replica;
  guest.placement_.replica = replica.place;
  guest.placement_.tell_answer = wake_.has_value();
  ++placed_;
  if (!wake_) return;
  if (wake_->endpoints_at == TimePoint()) wake_->endpoints_at = now;
  if (wake_->dispatched_at == TimePoint()) wake_->dispatched_at = now;
}

void Dispatcher::dispatch(TimePoint now) {
  while (!queue_.empty()) {
    Replica* replica = replicas_.choose(now);
    if (replica == nullptr) return;
    Guest& oldest = queue_.front();
    unpark(oldest);
    place(oldest, *replica, now);
    oldest.settled();
  }
}

void Dispatcher::free_replica(Guest& guest, Finding finding, TimePoint now) {
  replicas_.release(*guest.replica_, finding, now);
  guest.replica_ = nullptr;
  guest.state_ = Guest::State::present;
  --placed_;
  tell_drained();
}

void Dispatcher::answered(TimePoint now) {
  if (!wake_) return;
  outlet_.served(*wake_, now);
  wake_.reset();
  unserved_told_ = false;
}

void Dispatcher::leave(Guest& guest, const Ending& ending, TimePoint now) {
  PILOTLIGHT_CHECK(guest.state_ != Guest::State::away);
  const bool waited = guest.state_ == Guest::State::parked;
  if (waited) {
    unpark(guest);
  } else if (guest.state_ == Guest::State::placed) {
    if (ending.completed) ReplicaSet::succeeded(*guest.replica_);
    free_replica(guest, ending.finding, now);
  }
  guest.state_ = Guest::State::away;
  --guests_;
  meter_.departed(now, Via::client);
  if (ending.completed) meter_.completed(ending.service_time);
  if (ending.cause) meter_.refused(*ending.cause);
  const bool lost = waited && ending.cause && *ending.cause != RefusalCause::client_left;
  if (lost && wake_ && !unserved_told_) {
    unserved_told_ = true;
    outlet_.unserved(wake_->parked_at, *ending.cause);
  }
  dispatch(now);
  watch_need(now);
}

void Dispatcher::apply(const wire::Endpoints& endpoints, TimePoint now) {
  replicas_.apply(endpoints);
  news(now);
}

void Dispatcher::apply_slices(std::vector<SliceReplica> slices, TimePoint now) {
  replicas_.apply_slices(std::move(slices));
  news(now);
}

void Dispatcher::set_connected(bool connected, TimePoint now) {
  replicas_.set_connected(connected);
  news(now);
}

void Dispatcher::drain(const std::string& replica, std::uint64_t epoch, TimePoint now) {
  if (replicas_.close(replica, epoch) == nullptr) {
    const ReplicaSet::Drained nothing_there{replica, epoch};
    outlet_.drained(nothing_there);
    return;
  }
  tell_drained();
  watch_need(now);
}

void Dispatcher::news(TimePoint now) {
  if (wake_ && wake_->endpoints_at == TimePoint() && replicas_.usable() > 0) {
    wake_->endpoints_at = now;
  }
  tell_drained();
  dispatch(now);
  watch_need(now);
}

void Dispatcher::tell_drained() {
  for (const ReplicaSet::Drained& replica : replicas_.take_drained()) outlet_.drained(replica);
}

void Dispatcher::watch_need(TimePoint now) {
  const bool needy = !queue_.empty() && replicas_.usable() == 0;
  if (queue_.empty() && placed_ == 0) {
    wake_.reset();  // it ended without an answer
    unserved_told_ = false;
  }
  if (needy && !needy_) {
    if (!wake_) {
      wake_.emplace();
      wake_->parked_at = now;
      outlet_.parked(now);
    }
    outlet_.poke(static_cast<std::uint32_t>(parked_count_), oldest_wait(now));
  }
  needy_ = needy;
}

void Dispatcher::poke_again(TimePoint now) {
  if (needy_) outlet_.poke(static_cast<std::uint32_t>(parked_count_), oldest_wait(now));
}

void Dispatcher::retire(TimePoint now) {
  retired_ = true;
  while (!queue_.empty()) {
    Guest& oldest = queue_.front();
    unpark(oldest);
    oldest.refusal_ = Refusal::gone;
    oldest.settled();
  }
  watch_need(now);
}

TimePoint Dispatcher::next_wake(TimePoint now) const noexcept {
  return queue_.empty() ? TimePoint::max() : replicas_.next_change(now);
}

Duration Dispatcher::oldest_wait(TimePoint now) const noexcept {
  return queue_.empty() ? Duration::zero() : now - queue_.front().parked_at_;
}

}  // namespace pilotlight::activator
