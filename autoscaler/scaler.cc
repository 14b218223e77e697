#include "autoscaler/scaler.h"

#include <numeric>
#include <utility>

#include <boost/asio/this_coro.hpp>

#include "common/base/log.h"

namespace pilotlight::autoscaler {

namespace {

void log_failure(const wire::RevisionKey& revision, const PatchOutcome& outcome) {
  std::int64_t retry_in_ms = -1;  // given up
  if (outcome.retry_at) {
    retry_in_ms =
        std::chrono::ceil<std::chrono::milliseconds>(*outcome.retry_at - outcome.ended_at).count();
  }
  log_warn("scale not taken", {{"namespace", revision.name_space},
                               {"revision", revision.revision},
                               {"to", outcome.change.to},
                               {"attempt", outcome.attempt},
                               {"result", to_string(outcome.result)},
                               {"status", outcome.answer.status},
                               {"error", outcome.answer.error.message()},
                               {"text", outcome.answer.message},
                               {"retry_in_ms", retry_in_ms}});
}

}  // namespace

Task<> ScaleTarget::set_costs(std::string /*name_space*/, std::vector<PodCost> /*costs*/) {
  co_return;
}

Scaler::Scaler(Scope& scope, Clock& clock, ScaleTarget& target, ScalerListener& listener,
               std::mt19937_64& random)
    : scope_(scope),
      clock_(clock),
      target_(target),
      listener_(listener),
      random_(random),
      pause_(clock.make_timer()) {}

void Scaler::want(const wire::RevisionKey& revision, const std::string& deployment, Change change) {
  if (closed_) return;
  queue_.want(revision, deployment, std::move(change));
  pump();
}

void Scaler::forget(const wire::RevisionKey& revision) {
  queue_.forget(revision);
  pause_->cancel();
}

void Scaler::close() noexcept {
  closed_ = true;
  pause_->cancel();
}

/// Sends whatever may go out now, and sees to it that what may go out later is not forgotten.
void Scaler::pump() {
  if (pumping_ || closed_) return;  // an attempt that ends at once comes back here
  pumping_ = true;
  while (std::optional<PatchQueue::Attempt> attempt = queue_.next(clock_.now())) {
    scope_.spawn(send(std::move(*attempt)));
  }
  pumping_ = false;
  const TimePoint due = queue_.next_due(clock_.now());
  if (due < pause_until_) pause_->cancel();
  if (due == TimePoint::max() || waiting_) return;
  waiting_ = true;
  scope_.spawn(wait());
}

Task<> Scaler::send(PatchQueue::Attempt attempt) {
  co_await asio::this_coro::throw_if_cancelled(false);
  if (attempt.number == 1 && !attempt.change.costs.empty()) {
    co_await target_.set_costs(attempt.revision.name_space, attempt.change.costs);
  }
  const PatchAnswer answer = co_await target_.set_replicas(attempt.revision.name_space,
                                                           attempt.deployment, attempt.change.to);
  const PatchOutcome outcome = queue_.ended(attempt, answer, clock_.now(), random_);
  ++attempts_[static_cast<std::size_t>(outcome.result)];
  if (outcome.result != PatchResult::taken) log_failure(attempt.revision, outcome);
  listener_.attempted(attempt.revision, outcome);
  pump();
}

Task<> Scaler::wait() {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!closed_) {
    pause_until_ = queue_.next_due(clock_.now());
    if (pause_until_ == TimePoint::max()) break;
    co_await pause_->wait_until(pause_until_);
    pump();
  }
  pause_until_ = TimePoint::max();
  waiting_ = false;
}

std::uint64_t Scaler::attempts(PatchResult result) const noexcept {
  return attempts_[static_cast<std::size_t>(result)];
}

std::uint64_t Scaler::failures() const noexcept {
  return std::accumulate(attempts_.begin(), attempts_.end(), std::uint64_t{0}) -
         attempts(PatchResult::taken) - attempts(PatchResult::missing);
}

}  // namespace pilotlight::autoscaler
