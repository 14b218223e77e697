#include "autoscaler/patch_queue.h"

#include <algorithm>

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLongestAsked = 60s;  // however long the API says

}  // namespace

void PatchQueue::line_up(Turns& turns, const wire::RevisionKey& revision, Job& job, State state) {
  job.state = state;
  turns.emplace(Turn(job.change.from != 0, job.wish), revision);
}

void PatchQueue::want(const wire::RevisionKey& revision, const std::string& deployment,
                      Change change) {
  const auto [place, added] = jobs_.try_emplace(revision);
  Job& job = place->second;
  const Turn turn(job.change.from != 0, job.wish);
  job.dropped = false;
  job.deployment = deployment;
  job.change = std::move(change);
  job.wish = ++wishes_;
  if (added) return line_up(fresh_, revision, job, State::fresh);
  // One that rests goes on resting: a newer number says nothing about the API's health.
  if (job.state == State::fresh && fresh_.erase(turn) != 0) {
    line_up(fresh_, revision, job, State::fresh);
  } else if (job.state == State::repeat && repeats_.erase(turn) != 0) {
    line_up(repeats_, revision, job, State::repeat);
  }
}

void PatchQueue::forget(const wire::RevisionKey& revision) {
  const auto place = jobs_.find(revision);
  if (place == jobs_.end()) return;
  Job& job = place->second;
  const Turn turn(job.change.from != 0, job.wish);
  switch (job.state) {
    case State::sent: job.dropped = true; return;
    case State::fresh: fresh_.erase(turn); break;
    case State::repeat: repeats_.erase(turn); break;
    case State::resting: resting_.erase({job.due, revision}); break;
  }
  jobs_.erase(place);
}

void PatchQueue::refill(TimePoint now) {
  const double passed = std::chrono::duration<double>(now - refilled_).count();
  tokens_ = std::min(kRepeatsAtOnce, tokens_ + passed * kRepeatsPerSecond);
  refilled_ = now;
}

void PatchQueue::rouse(TimePoint now) {
  while (!resting_.empty() && resting_.begin()->first <= now) {
    const wire::RevisionKey revision = std::move(resting_.extract(resting_.begin()).value().second);
    line_up(repeats_, revision, jobs_.at(revision), State::repeat);
  }
}

std::optional<PatchQueue::Attempt> PatchQueue::next(TimePoint now) {
  refill(now);
  rouse(now);
  if (in_flight_ >= kInFlightLimit) return std::nullopt;
  const bool repeat = fresh_.empty();
  if (repeat && (repeats_.empty() || tokens_ < 1)) return std::nullopt;
  if (repeat) tokens_ -= 1;
  Turns& turns = repeat ? repeats_ : fresh_;
  Attempt attempt;
  attempt.revision = std::move(turns.extract(turns.begin()).mapped());
  Job& job = jobs_.at(attempt.revision);
  job.state = State::sent;
  ++in_flight_;
  attempt.deployment = job.deployment;
  attempt.change = job.change;
  attempt.wish = job.wish;
  attempt.number = job.attempts + 1;
  attempt.sent_at = now;
  return attempt;
}

TimePoint PatchQueue::next_due(TimePoint now) const {
  if (in_flight_ >= kInFlightLimit) return TimePoint::max();
  if (!fresh_.empty()) return now;
  const TimePoint due = resting_.empty() ? TimePoint::max() : resting_.begin()->first;
  const double missing = std::max(0.0, 1 - tokens_);
  const TimePoint paid =
      refilled_ +
      std::chrono::ceil<Duration>(std::chrono::duration<double>(missing / kRepeatsPerSecond));
  if (!repeats_.empty()) return std::max(now, paid);
  return due == TimePoint::max() ? due : std::max(due, paid);
}

void PatchQueue::rest(const wire::RevisionKey& revision, Job& job, const PatchAnswer& answer,
                      TimePoint now, std::mt19937_64& random) {
  Duration pause = job.back_off.next(random);
  // Who was told the same time does not come back at the same time.
  if (answer.retry_after) pause += std::min(*answer.retry_after, kLongestAsked);
  job.due = now + pause;
  job.state = State::resting;
  resting_.emplace(job.due, revision);
}

PatchOutcome PatchQueue::ended(const Attempt& attempt, const PatchAnswer& answer, TimePoint now,
                               std::mt19937_64& random) {
  refill(now);
  --in_flight_;
  const auto place = jobs_.find(attempt.revision);
  Job& job = place->second;
  PatchOutcome outcome;
  outcome.change = attempt.change;
  outcome.attempt = attempt.number;
  outcome.result = result_of(answer);
  outcome.answer = answer;
  outcome.sent_at = attempt.sent_at;
  outcome.ended_at = now;
  outcome.superseded = job.wish != attempt.wish;
  const bool taken = outcome.result == PatchResult::taken;
  if (taken && attempt.number > 1) tokens_ = std::min(kRepeatsAtOnce, tokens_ + 1);
  if (!taken && outcome.result != PatchResult::missing && !job.dropped) {
    ++job.attempts;
    rest(attempt.revision, job, answer, now, random);
    outcome.retry_at = job.due;
    job.failed = outcome;
    return outcome;
  }
  if (outcome.superseded && !job.dropped) {
    job.attempts = 0;
    job.back_off.reset();
    job.failed.reset();
    line_up(fresh_, attempt.revision, job, State::fresh);
  } else {
    jobs_.erase(place);
  }
  return outcome;
}

std::optional<std::int32_t> PatchQueue::wanted(const wire::RevisionKey& revision) const {
  const auto job = jobs_.find(revision);
  if (job == jobs_.end()) return std::nullopt;
  return job->second.change.to;
}

const PatchOutcome* PatchQueue::failed(const wire::RevisionKey& revision) const {
  const auto job = jobs_.find(revision);
  return job == jobs_.end() || !job->second.failed ? nullptr : &*job->second.failed;
}

}  // namespace pilotlight::autoscaler
