#include "autoscaler/loop.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include "autoscaler/checkpoint.h"
#include "autoscaler/status_events.h"
#include "autoscaler/story.h"
#include "common/base/log.h"
#include "common/base/system_clock.h"

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

constexpr Duration kOldNews = 1s;
constexpr Duration kPathTime = 60s;         // for every node to know that a Service leads elsewhere
constexpr std::size_t kInOneGo = 8;         // revisions, between two looks at what has come in
constexpr std::size_t kInOneStretch = 128;  // revisions, between two rests; of kInOneGo
constexpr Duration kSpread = kLoopStep * 4 / 5;  // of them all

}  // namespace

Loop::Loop(Scope& scope, Clock& clock, std::uint64_t epoch, ScaleTarget& target,
           std::mt19937_64& random, DecisionFile* file, DecisionFile* recording)
    : clock_(clock),
      wall_ns_(&wall_clock_ns),
      epoch_(epoch),
      events_(clock, epoch),
      file_(file),
      chronicle_(file),
      recording_(recording),
      registry_(epoch, *this),
      scaler_(scope, clock, target, *this, random),
      senders_by_(clock.now() + kSendersTime),
      timer_(clock.make_timer()) {}

Task<> Loop::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!closed_) {
    const TimePoint now = clock_.now();
    const TimePoint next = now - now.time_since_epoch() % kLoopStep + kLoopStep;
    const bool came = co_await timer_->wait_until(next);
    if (came && leading_) co_await tick();
  }
}

void Loop::close() noexcept {
  closed_ = true;
  scaler_.close();
  events_.close();
  timer_->cancel();
}

/// Every revision once, but never so many in one go that a POKE waits for them: thousands are
/// spread over most of the step.
Task<> Loop::tick() {
  const Executor executor = co_await asio::this_coro::executor;
  const TimePoint began = clock_.now();
  registry_.advance(began);
  std::size_t tended = 0;
  auto next = subjects_.begin();
  while (next != subjects_.end()) {
    const TimePoint now = clock_.now();
    for (std::size_t i = 0; i < kInOneGo && next != subjects_.end(); ++i, ++next) {
      tend(*next->second, now);
    }
    if (next == subjects_.end()) break;
    tended += kInOneGo;
    const wire::RevisionKey key = next->first;  // it may be gone afterwards
    if (tended % kInOneStretch == 0) {
      // Some may have gone meanwhile.
      const std::size_t all = std::max(tended, subjects_.size());
      const auto part = static_cast<double>(tended) / static_cast<double>(all);
      const TimePoint rested = began + std::chrono::duration_cast<Duration>(part * kSpread);
      co_await timer_->wait_until(rested);
    } else {
      co_await asio::post(executor, asio::use_awaitable_t<Executor>());
    }
    if (closed_) break;
    next = subjects_.lower_bound(key);
  }
}

void Loop::tend(Subject& subject, TimePoint now) {
  settle_return(subject, now);
  settle_arrival(subject, now);
  subject.collector.limit_waits(subject.state.active_since);
  const bool went_on = subject.collector.advance(now, demand_known(subject));
  if (went_on || subject.refusing) {
    subject.refusing = chronicle_.advance(subject.view.key, now);
  }
  note_senders(subject);
  if (now < subject.next_tick) return;
  subject.next_tick = next_turn(subject.view.key, now);
  decide_on(subject, std::nullopt, now);
}

void Loop::arrives(Subject& subject, TimePoint now) {
  log_info("held: it ran before it became ours", {{"namespace", subject.view.key.name_space},
                                                  {"revision", subject.view.key.revision},
                                                  {"replicas", subject.view.replicas}});
  subject.arriving_until = now + subject.policy.progress_deadline;
  subject.state.initial_reached = true;
  settle_arrival(subject, now);
}

/// Nobody measures what its pods without a sidecar do, so it is held as Knative holds what it
/// finds: in panic, and for a window from when it is ours.
void Loop::settle_arrival(Subject& subject, TimePoint now) {
  if (!subject.arriving_until) return;
  const wire::RevisionKey& key = subject.view.key;
  // As the controller has it, or, where that does not lead to them, nobody else is ready.
  const bool all_heard =
      registry_.ready_count(key) > 0 && registry_.ready_count(key) >= subject.view.ready;
  if (registry_.in_slices(key) || all_heard || subject.view.replicas == 0) {
    subject.arriving_until.reset();
  } else if (now >= *subject.arriving_until && subject.view.ready == 0) {
    return;  // nothing serves
  }
  subject.state.panic_since = now;
  subject.state.max_panic = std::max(subject.state.max_panic, subject.view.replicas);
  subject.given = true;
}

void Loop::note_senders(Subject& subject) {
  const bool missing = subject.collector.sender_missing();
  if (std::exchange(subject.sender_missing, missing) == missing) return;
  log_warn(missing ? "an activator sends requests and cannot be heard: sidecars tell of them"
                   : "all that activators send is reported again",
           {{"namespace", subject.view.key.name_space}, {"revision", subject.view.key.revision}});
}

bool Loop::demand_known(const Subject& subject) const {
  return registry_.activators() > 0 || subject.collector.has_sources();
}

Observation Loop::observe(const Subject& subject, std::optional<std::uint32_t> parked,
                          TimePoint now) const {
  const wire::RevisionKey& key = subject.view.key;
  Observation seen;
  seen.poke = parked;
  seen.replicas = scaler_.queue().wanted(key).value_or(subject.view.replicas);
  seen.ready = registry_.ready_count(key);
  // Of a replica that only the API calls ready, an activator that pokes has found that it is not.
  const std::int32_t unheard = std::max(0, seen.replicas - seen.ready);
  if (!parked) seen.ready += std::min(registry_.unheard_count(key), unheard);
  seen.waiting_now = subject.collector.present(now);
  seen.can_wake = registry_.activators() > 0;
  const std::chrono::sys_seconds wall(
      std::chrono::floor<std::chrono::seconds>(std::chrono::nanoseconds(wall_ns_())));
  seen.floor = static_cast<std::int32_t>(config::floor_at(subject.view.policy.floors, wall));
  if (demand_known(subject)) seen.signals = signals_of(subject);
  return seen;
}

std::vector<Signal> Loop::signals_of(const Subject& subject) const {
  const config::ScalingPolicy& policy = subject.view.policy;
  std::vector<Signal> signals(1);
  Signal& metric = signals.front();
  metric.name = metric_name(policy);
  metric.stable = subject.collector.stable();
  metric.panic = subject.collector.panic();
  metric.target = policy.target_per_replica();
  metric.total = policy.total_per_replica();
  if (!policy.target_parked_wait) return signals;
  Signal& wait = signals.emplace_back();
  wait.name = "parked_wait";
  wait.kind = SignalKind::value;
  wait.known = registry_.activators() > 0;  // nobody else parks
  wait.stable = subject.collector.stable_wait();
  wait.panic = subject.collector.panic_wait();
  wait.target = std::chrono::duration<double>(*policy.target_parked_wait).count();
  return signals;
}

void Loop::decide_on(Subject& subject, std::optional<std::uint32_t> parked, TimePoint now) {
  if (!subject.rival.empty()) return note_path(subject, now);
  LoggedDecision logged;
  logged.at = now;
  logged.seen = observe(subject, parked, now);
  logged.policy = subject.policy;
  logged.before = subject.state;
  logged.decision = decide(logged.seen, subject.policy, subject.state, now);
  logged.unix_ms = wall_ns_() / 1'000'000;
  subject.last = logged.decision;
  if (parked && logged.decision.desired && subject.returning) subject.returning->woken = true;
  if (paths_ != nullptr && logged.decision.desired) {
    subject.direct = logged.decision.direct && measured(subject, now);
    paths_->want(subject.view.key, subject.direct);
  }
  note_path(subject, now);
  leave_checkpoint(subject, now);
  if (recording_ != nullptr) record_turn(subject, logged);
  apply(subject, logged);
}

/// What a replica that ends may be promised depends on it.
void Loop::note_path(Subject& subject, TimePoint now) {
  if (paths_ == nullptr) return;
  if (subject.direct || paths_->shown(subject.view.key)) subject.direct_until = now + kPathTime;
  registry_.set_direct(subject.view.key, now < subject.direct_until);
}

/// Whether what goes past the activators would be known. Without a replica there is nobody but
/// them, and nobody else measures what goes to one that is not heard of; who is silent for less
/// than a window (its pod ends, its connection is made anew) is no reason to send all others
/// around.
bool Loop::measured(Subject& subject, TimePoint now) const {
  const wire::RevisionKey& key = subject.view.key;
  if (registry_.unheard_count(key) == 0) {
    subject.unheard_since.reset();
  } else if (!subject.unheard_since) {
    subject.unheard_since = now;
  }
  if (registry_.ready_count(key) == 0) return false;
  if (!subject.unheard_since) return true;
  return subject.direct && now - *subject.unheard_since < subject.policy.stable_window;
}

std::vector<PodCost> Loop::costs_of(const Subject& subject, std::int32_t to) const {
  std::vector<ReplicaLoad> ready;
  for (const ReplicaRecord& replica : registry_.replicas(subject.view.key)) {
    if (replica.phase != ReplicaPhase::ready) continue;
    ReplicaLoad& one = ready.emplace_back();
    one.pod = replica.name;
    one.load = subject.collector.present_in(replica.name);
  }
  return costs_.changes(subject.view.key.name_space, std::move(ready), to);
}

void Loop::apply(Subject& subject, const LoggedDecision& logged) {
  const std::int32_t desired = logged.desired();
  subject.desired = desired;
  if (!log_.add(subject.view.key, logged)) return;  // as the one before, so nothing changes
  const std::string text = explain(logged, subject);
  chronicle_.decided(subject.view.key, logged);
  if (desired != logged.from()) change_to(subject, logged, text);
  // Behind it, since a line takes longer than the request for the change.
  chronicle_.write_decision(subject.view.key, logged, text);
}

void Loop::change_to(Subject& subject, const LoggedDecision& logged, const std::string& text) {
  const std::int32_t desired = logged.desired();
  if (logged.from() == 0) ++subject.wakes;
  Change change;
  change.from = logged.from();
  change.to = desired;
  change.reason = logged.decision.reason;
  change.text = text;
  change.decided_at = logged.at;
  if (logged.seen.poke) change.poked_at = logged.at;
  change.costs = costs_of(subject, desired);
  log_info("scale", {{"namespace", subject.view.key.name_space},
                     {"revision", subject.view.key.revision},
                     {"from", change.from},
                     {"to", change.to},
                     {"reason", to_string(change.reason)},
                     {"why", change.text}});
  scaler_.want(subject.view.key, subject.view.deployment, std::move(change));
}

void Loop::replica_ready(const wire::RevisionKey& revision, const ReplicaRecord& replica) {
  log_info(
      "replica ready",
      {{"revision", revision.revision}, {"replica", replica.name}, {"ready_us", replica.ready_us}});
  const TimePoint now = clock_.now();
  events_.record("replica_ready", ready_event(revision, replica, now));
  chronicle_.replica_ready(revision, replica, now);
  const ColdStarts* learned = chronicle_.cold_starts(revision);
  if (learned == nullptr) return;
  registry_.learn(revision, learned->percentile_us(50), learned->percentile_us(95));
}

void Loop::replica_not_ready(const wire::RevisionKey& revision, const ReplicaRecord& replica,
                             std::string_view reason) {
  log_info("replica not ready",
           {{"revision", revision.revision}, {"replica", replica.name}, {"reason", reason}});
  events_.record("replica_not_ready", not_ready_event(revision, replica, reason));
  chronicle_.replica_not_ready(revision, replica, reason, clock_.now());
}

void Loop::attempted(const wire::RevisionKey& revision, const PatchOutcome& outcome) {
  chronicle_.patched(revision, outcome);
  tell_cause(revision);
  if (outcome.result == PatchResult::taken) scaled(revision, outcome);
}

void Loop::scaled(const wire::RevisionKey& revision, const PatchOutcome& outcome) {
  const Change& change = outcome.change;
  const TimePoint patched_at = outcome.ended_at;
  const auto found = subjects_.find(revision);
  if (found != subjects_.end()) {
    Subject& subject = *found->second;
    Subject::Patched patched;
    patched.from = subject.view.replicas;
    patched.until = patched_at + kOldNews;
    if (patched.from != change.to) subject.patched = patched;
    subject.view.replicas = change.to;
  }
  events_.record("decision", decision_event(revision, change, patched_at));
}

}  // namespace pilotlight::autoscaler
