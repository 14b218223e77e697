#include "common/net/leave_watch.h"

#include <array>

#include <sys/epoll.h>

#include "common/base/check.h"

namespace pilotlight {

LeaveWatch::Entry::Entry(LeaveWatch& watch, int descriptor, Callback callback, void* context)
    : watch_(watch), callback_(callback), context_(context), id_(watch.next_id_++) {
  watch_.entries_.emplace(id_, this);
  epoll_event event{};
  event.events = EPOLLRDHUP | EPOLLET;
  event.data.u64 = id_;  // an id, not a pointer: an event may outlive its entry in one batch
  // A descriptor that cannot be watched is dead already; its first read says so.
  epoll_ctl(watch_.epoll_.native_handle(), EPOLL_CTL_ADD, descriptor, &event);
}

// The descriptor closes next, which takes it out of the epoll: no system call for that.
LeaveWatch::Entry::~Entry() { watch_.entries_.erase(id_); }

LeaveWatch::LeaveWatch(Executor executor) : epoll_(executor, epoll_create1(EPOLL_CLOEXEC)) {}

LeaveWatch::~LeaveWatch() { PILOTLIGHT_CHECK(entries_.empty()); }

Task<> LeaveWatch::run() {
  while (epoll_.is_open()) {
    const auto [ec] =
        co_await epoll_.async_wait(asio::posix::descriptor_base::wait_read, use_tuple);
    if (ec) co_return;
    deliver();
  }
}

void LeaveWatch::deliver() {
  std::array<epoll_event, 64> events;
  for (;;) {
    const int count =
        epoll_wait(epoll_.native_handle(), events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < count; ++i) {
      const auto found = entries_.find(events[static_cast<std::size_t>(i)].data.u64);
      if (found != entries_.end()) found->second->callback_(found->second->context_);
    }
    if (count < static_cast<int>(events.size())) return;
  }
}

void LeaveWatch::stop() noexcept {
  ErrorCode ignored;  // ending the wait is all that matters
  epoll_.cancel(ignored);
}

}  // namespace pilotlight
