#include "autoscaler/scaler.h"

#include <utility>

#include <boost/asio/this_coro.hpp>

#include "common/base/log.h"
#include "common/kube/back_off.h"

namespace pilotlight::autoscaler {

using namespace std::chrono_literals;

Scaler::Scaler(Scope& scope, Clock& clock, ScaleTarget& target, ScalerListener& listener,
               std::mt19937_64& random)
    : scope_(scope), clock_(clock), target_(target), listener_(listener), random_(random) {}

void Scaler::want(const wire::RevisionKey& revision, const std::string& deployment, Change change) {
  if (closed_) return;
  const auto [place, idle] = jobs_.try_emplace(revision);
  place->second.deployment = deployment;
  place->second.change = std::move(change);
  place->second.number = ++wishes_;
  if (idle) scope_.spawn(work(revision));
}

std::optional<std::int32_t> Scaler::wanted(const wire::RevisionKey& revision) const {
  const auto job = jobs_.find(revision);
  if (job == jobs_.end()) return std::nullopt;
  return job->second.change.to;
}

Task<> Scaler::work(wire::RevisionKey revision) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const std::unique_ptr<Timer> pause = clock_.make_timer();
  kube::BackOff back_off(20ms, 2s);
  unsigned attempt = 0;
  while (!closed_) {
    ++attempt;
    const TimePoint sent_at = clock_.now();
    const Job job = jobs_.at(revision);  // a copy: a newer wish may come while this one travels
    const Result<> done =
        co_await target_.set_replicas(revision.name_space, job.deployment, job.change.to);
    const TimePoint now = clock_.now();
    if (done.has_error() && done.error() != make_error_code(FlowError::not_found)) {
      ++failures_;
      log_warn("scale failed", {{"revision", revision.revision},
                                {"to", job.change.to},
                                {"error", done.error().message()}});
      PatchFailure failure;
      failure.error = done.error();
      failure.attempt = attempt;
      failure.took = now - sent_at;
      failure.retry_in = back_off.next(random_);
      listener_.patch_failed(revision, job.change, failure);
      const TimePoint again = now + failure.retry_in;
      co_await pause->wait_until(again);
      continue;
    }
    const bool newest = jobs_.at(revision).number == job.number;
    if (newest) jobs_.erase(revision);
    if (done.has_value()) {
      ++patches_;
      listener_.scaled(revision, job.change, attempt, now - sent_at, now);
      attempt = 0;
    }
    if (newest) co_return;
    back_off.reset();
  }
  jobs_.erase(revision);
}

}  // namespace pilotlight::autoscaler
