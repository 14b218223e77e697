#include "proxy/readiness.h"

#include <algorithm>

namespace pilotlight::proxy {
namespace {

using namespace std::chrono_literals;

void cancel_timer(void* timer) noexcept { static_cast<Timer*>(timer)->cancel(); }
void set_event(void* event) noexcept { static_cast<Event*>(event)->set(); }

}  // namespace

Duration probe_interval(Duration waited) noexcept {
  return std::clamp<Duration>(waited / 100, 2ms, 100ms);
}

/// All probes at work for whoever waits. Its tasks share it, so it lives as long as the last one.
struct Readiness::Round {
  explicit Round(TimePoint now, std::size_t probes) : begun(now), stops(probes) {}

  TimePoint begun;
  std::vector<Event*> waiting;
  std::vector<Interruption> stops;  // one per probe: ends it
  std::size_t passed = 0;
  bool over = false;
  bool ok = false;
};

Readiness::Readiness(Clock& clock, Scope& scope, Prober& prober, std::vector<ReadinessProbe> probes,
                     ReadinessListener& listener)
    : clock_(clock),
      scope_(scope),
      prober_(prober),
      probes_(std::move(probes)),
      listener_(listener),
      successes_(probes_.size()),
      pause_(clock.make_timer()),
      unready_since_(clock.now()) {}

Task<> Readiness::run() {
  const Interruption::Target target(stop_, &cancel_timer, pause_.get());
  while (!stop_.raised()) {
    unready_since_ = clock_.now();
    listening_since_.reset();
    bool ok = co_await join(TimePoint::max(), stop_);
    while (!ok && !stop_.raised()) {
      const TimePoint now = clock_.now();
      co_await pause_->wait_until(now + probe_interval(now - unready_since_));
      if (!stop_.raised()) ok = co_await join(TimePoint::max(), stop_);
    }
    if (stop_.raised()) co_return;
    ready_ = true;
    const TimePoint now = clock_.now();
    listener_.app_ready(listening_since_.value_or(now) - unready_since_, now - unready_since_);
    while (ready_ && !stop_.raised()) co_await pause_->wait_until(TimePoint::max());
  }
}

void Readiness::stop() noexcept {
  stop_.raise(Cause::stopped);
  if (round_) cancel(*round_);
}

void Readiness::lost() {
  if (!ready_) return;
  ready_ = false;
  std::fill(successes_.begin(), successes_.end(), 0U);
  listener_.app_lost();
  pause_->cancel();
}

Task<bool> Readiness::check(Interruption& interruption) {
  const bool patient = std::any_of(probes_.begin(), probes_.end(),
                                   [](const ReadinessProbe& probe) { return probe.aggressive(); });
  // Probes of the other kind bound themselves.
  const TimePoint until = patient ? clock_.now() + kCheckTime : TimePoint::max();
  co_return co_await join(until, interruption);
}

Task<bool> Readiness::join(TimePoint until, Interruption& interruption) {
  if (probes_.empty()) co_return true;
  if (interruption.raised()) co_return false;
  const RoundPtr round = round_ ? round_ : begin_round();
  if (round->over) co_return round->ok;  // tries that need no waiting have ended it already
  Event over(clock_);
  round->waiting.push_back(&over);
  {
    const Interruption::Target target(interruption, &set_event, &over);
    co_await over.wait(until);
  }
  std::erase(round->waiting, &over);
  if (round->waiting.empty() && !round->over) cancel(*round);
  co_return round->over && round->ok;
}

Readiness::RoundPtr Readiness::begin_round() {
  round_ = std::make_shared<Round>(clock_.now(), probes_.size());
  const RoundPtr round = round_;
  for (std::size_t i = 0; i < probes_.size(); ++i) scope_.spawn(run_probe(round, i));
  return round;
}

Task<> Readiness::run_probe(RoundPtr round, std::size_t index) {
  const ReadinessProbe& probe = probes_[index];
  const std::uint32_t wanted = probe.aggressive() ? probe.success_threshold : 1;
  Interruption& stop = round->stops[index];
  const auto pause = clock_.make_timer();
  const Interruption::Target target(stop, &cancel_timer, pause.get());
  while (!stop.raised()) {
    const ProbeTry found = co_await prober_.attempt(probe, clock_.now() + probe.timeout, stop);
    if (stop.raised()) co_return;
    const TimePoint now = clock_.now();
    if (found.connected && !listening_since_) listening_since_ = now;
    successes_[index] = found.ok ? successes_[index] + 1 : 0;
    if (successes_[index] >= wanted) {
      if (++round->passed == probes_.size()) end_round(*round, true);
      co_return;
    }
    if (!probe.aggressive()) {
      end_round(*round, false);
      co_return;
    }
    const TimePoint since = ready_ ? round->begun : unready_since_;
    co_await pause->wait_until(now + probe_interval(now - since));
  }
}

void Readiness::end_round(Round& round, bool ok) {
  round.ok = ok;
  round.over = true;
  cancel(round);
  for (Event* waiting : round.waiting) waiting->set();
}

void Readiness::cancel(Round& round) noexcept {
  if (round_.get() == &round) round_.reset();
  for (Interruption& stop : round.stops) stop.raise(Cause::stopped);
}

}  // namespace pilotlight::proxy
