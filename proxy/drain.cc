#include "proxy/drain.h"

#include <algorithm>

#include "common/base/log.h"

namespace pilotlight::proxy {

Drain::Drain(Clock& clock, DrainFence& fence, DrainParty& party, Params params)
    : clock_(clock), fence_(fence), party_(party), params_(params), progress_(clock.make_timer()) {}

Task<> Drain::run() {
  while (!stopped_) {
    const TimePoint until = advance();
    if (stopped_) co_return;
    co_await progress_->wait_until(until);
  }
}

TimePoint Drain::advance() {
  const TimePoint now = clock_.now();
  // What may still be called off changes nothing that cannot be taken back.
  if (!kept_ || !fence_.begun()) return TimePoint::max();
  if (!fenced_) {
    if (!fence_.fenced(now)) return fence_.next(now);
    fenced_ = true;
    finish_by_ = now + params_.finish_limit;
    log_info("fenced: no new request can arrive");
    party_.fenced();
  }
  if (!drained_) {
    if (party_.in_flight() > 0 && now < finish_by_) return finish_by_;
    drained_ = true;
    log_info("drained", {{"in_flight", party_.in_flight()}});
    wake();
  }
  if (signalled_ && visits_ == 0) {
    stopped_ = true;
    party_.end(0);
  }
  return TimePoint::max();
}

void Drain::stop() noexcept {
  stopped_ = true;
  wake();
}

void Drain::signal() {
  if (signalled_) {
    log_warn("second signal: stopping now");
    party_.end(1);
    return;
  }
  signalled_ = true;
  log_info("signal: draining");
  keep();
  begin();
}

Task<> Drain::hook(Hook which) {
  if (which == Hook::begin_drain) keep();
  begin();
  const auto timer = clock_.make_timer();
  hooks_.push_back(timer.get());
  const TimePoint patience = clock_.now() + params_.signal_patience;
  while (!kept_ && !stopped_ && clock_.now() < patience) co_await timer->wait_until(patience);
  if (!kept_ && !stopped_) call_off();
  while (kept_ && !drained_ && !stopped_) co_await timer->wait_until(TimePoint::max());
  std::erase(hooks_, timer.get());
}

void Drain::begin() {
  if (!fence_.begun()) {
    fence_.begin(clock_.now());
    party_.drain_changed(true);
  }
  progress();
}

void Drain::keep() noexcept {
  kept_ = true;
  wake();
}

void Drain::call_off() {
  if (!fence_.begun()) return;
  log_info("no signal came: drain called off");
  fence_.reset();
  party_.drain_changed(false);
  progress();
}

void Drain::wake() noexcept {
  progress();
  for (Timer* timer : hooks_) timer->cancel();
}

}  // namespace pilotlight::proxy
