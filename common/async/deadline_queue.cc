#include "common/async/deadline_queue.h"

#include <utility>

namespace pilotlight {

Deadline::~Deadline() {
  if (index_ != kNotFiled) queue_.remove(*this);
}

void Deadline::set(TimePoint when) {
  when_ = when;
  if (when < filed_) queue_.file(*this, when);
}

void DeadlineQueue::advance(TimePoint now) {
  while (!heap_.empty() && heap_.front()->filed_ <= now) {
    Deadline& first = *heap_.front();
    remove(first);
    if (first.when_ == TimePoint::max()) continue;
    if (first.when_ > now) {
      file(first, first.when_);
      continue;
    }
    first.when_ = TimePoint::max();
    first.callback_(first.context_);  // may destroy `first`
  }
}

void DeadlineQueue::file(Deadline& deadline, TimePoint when) {
  const TimePoint before = next();
  deadline.filed_ = when;
  if (deadline.index_ == Deadline::kNotFiled) {
    heap_.push_back(&deadline);
    deadline.index_ = heap_.size() - 1;
  }
  sift_up(deadline.index_);
  if (next() < before && earlier_ != nullptr) earlier_(earlier_context_);
}

void DeadlineQueue::remove(Deadline& deadline) noexcept {
  const std::size_t hole = deadline.index_;
  deadline.index_ = Deadline::kNotFiled;
  deadline.filed_ = TimePoint::max();
  Deadline* last = heap_.back();
  heap_.pop_back();
  if (last == &deadline) return;
  place(last, hole);
  sift_up(hole);
  sift_down(last->index_);
}

void DeadlineQueue::place(Deadline* deadline, std::size_t index) noexcept {
  heap_[index] = deadline;
  deadline->index_ = index;
}

void DeadlineQueue::sift_up(std::size_t index) noexcept {
  while (index > 0) {
    const std::size_t parent = (index - 1) / 2;
    if (heap_[parent]->filed_ <= heap_[index]->filed_) return;
    Deadline* child = heap_[index];
    place(heap_[parent], index);
    place(child, parent);
    index = parent;
  }
}

void DeadlineQueue::sift_down(std::size_t index) noexcept {
  for (;;) {
    std::size_t least = 2 * index + 1;
    if (least >= heap_.size()) return;
    if (least + 1 < heap_.size() && heap_[least + 1]->filed_ < heap_[least]->filed_) ++least;
    if (heap_[index]->filed_ <= heap_[least]->filed_) return;
    Deadline* parent = heap_[index];
    place(heap_[least], index);
    place(parent, least);
    index = least;
  }
}

DeadlineRunner::DeadlineRunner(DeadlineQueue& queue, Clock& clock)
    : queue_(queue), clock_(clock), timer_(clock.make_timer()) {
  queue_.on_earlier([](void* self) { static_cast<DeadlineRunner*>(self)->timer_->cancel(); }, this);
}

Task<> DeadlineRunner::run() {
  while (!stopped_) {
    co_await timer_->wait_until(queue_.next());
    queue_.advance(clock_.now());
  }
}

void DeadlineRunner::stop() noexcept {
  stopped_ = true;
  timer_->cancel();
}

}  // namespace pilotlight
