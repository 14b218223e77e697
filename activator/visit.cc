// The two halves of a Visit: on its connection's shard, and on its revision's home shard.
#include <boost/asio/post.hpp>

#include "activator/revisions.h"
#include "common/base/check.h"

namespace pilotlight::activator {

/// The half of a visit that lives on another shard than its connection. Shared by both: the guest
/// part is touched on the home shard only, `visit` on the connection's shard only.
struct Visit::Remote final : Dispatcher::Guest, std::enable_shared_from_this<Visit::Remote> {
  Remote(Visit& of, Executor there) : visit(&of), requester(there) {}

  void settled() noexcept override { tell(placement(), refusal(), retry_after()); }

  void tell(Placement where, Refusal why, std::uint32_t retry_after = 1) {
    asio::post(requester, [self = shared_from_this(), where = std::move(where), why, retry_after] {
      if (self->visit != nullptr) self->visit->settle(where, why, retry_after);
    });
  }

  void took(Dispatcher::Asked asked) {
    if (asked != Dispatcher::Asked::parked) settled();
  }

  Visit* visit;  // null once the visit has ended
  Executor requester;
  Home* home = nullptr;  // set by arrive(), while the guest is there
};

Visit::Visit(Revisions& here, RevisionPtr revision)
    : here_(here), home_(*here.all_[revision->home]), revision_(std::move(revision)) {
  if (&home_ == &here_) {
    local_home_ = here_.find(revision_->id);
    if (local_home_ != nullptr) local_home_->dispatcher().arrive(local_, here_.clock().now());
    return;
  }
  remote_ = std::make_shared<Remote>(*this, here_.executor());
  asio::post(home_.executor(), [remote = remote_, home = &home_, id = revision_->id] {
    remote->home = home->find(id);
    if (remote->home != nullptr) remote->home->dispatcher().arrive(*remote, home->clock().now());
  });
}

Visit::~Visit() { leave(Ending()); }

void Visit::leave(const Ending& ending) {
  if (Home* home = std::exchange(local_home_, nullptr)) {
    home->dispatcher().leave(local_, ending, here_.clock().now());
    here_.settle(*home);
  }
  const std::shared_ptr<Remote> remote = std::move(remote_);
  if (!remote) return;
  remote->visit = nullptr;
  asio::post(home_.executor(), [remote, home = &home_, ending] {
    if (remote->home == nullptr) return;
    remote->home->dispatcher().leave(*remote, ending, home->clock().now());
    home->settle(*remote->home);
  });
}

void Visit::settle(const Placement& placement, Refusal refusal, std::uint32_t retry_after) {
  placement_ = placement;
  refusal_ = refusal;
  retry_after_ = retry_after;
  settled_ = true;
  if (timer_) timer_->cancel();
}

void Visit::ask(std::size_t bytes) {
  const auto ask_at = [bytes, finding = finding_](Dispatcher& dispatcher, Dispatcher::Guest& guest,
                                                  TimePoint now) {
    return finding == Finding::none ? dispatcher.ask(guest, bytes, now)
                                    : dispatcher.retry(guest, finding, bytes, now);
  };
  finding_ = Finding::none;
  settled_ = false;
  if (remote_) {
    asio::post(home_.executor(), [remote = remote_, home = &home_, ask_at] {
      if (remote->home == nullptr) {
        remote->tell(Placement(), Refusal::gone);
        return;
      }
      remote->took(ask_at(remote->home->dispatcher(), *remote, home->clock().now()));
      home->settle(*remote->home);
    });
    return;
  }
  if (local_home_ == nullptr) {
    settle(Placement(), Refusal::gone);
    return;
  }
  const auto asked = ask_at(local_home_->dispatcher(), local_, here_.clock().now());
  if (asked != Dispatcher::Asked::parked) {
    settle(local_.placement(), local_.refusal(), local_.retry_after());
  }
  here_.settle(*local_home_);
}

Task<Result<Placement>> Visit::place(std::size_t bytes, Interruption& interruption) {
  ask(bytes);
  if (!settled_) {
    if (!timer_) timer_ = here_.clock().make_timer();
    const Interruption::Target target(
        interruption, [](void* timer) { static_cast<Timer*>(timer)->cancel(); }, timer_.get());
    while (!settled_ && !interruption.raised()) co_await timer_->wait_until(TimePoint::max());
  }
  if (settled_ && refusal_ == Refusal::none) co_return placement_;
  if (settled_) {
    co_return refusal_ == Refusal::gone ? FlowError::not_found : FlowError::queue_full;
  }
  co_return interruption.error();
}

void Visit::answered(const Placement& placement) {
  if (!placement.tell_answer) return;
  const TimePoint now = here_.clock().now();
  if (local_home_ != nullptr) {
    local_home_->dispatcher().answered(now);
  } else if (remote_) {
    asio::post(home_.executor(), [remote = remote_, now] {
      if (remote->home != nullptr) remote->home->dispatcher().answered(now);
    });
  }
}

}  // namespace pilotlight::activator
