// Loop's other half: how a process that has just begun comes to know what the one before it knew.

#include <algorithm>
#include <utility>

#include "autoscaler/checkpoint.h"
#include "autoscaler/loop.h"
#include "autoscaler/recording.h"
#include "common/base/log.h"

namespace pilotlight::autoscaler {
namespace {

// An election takes about 3 s. Of a longer gap, an outage, only the last turns are made up for.
constexpr Duration kLongestGap = std::chrono::seconds(30);

}  // namespace

/// There was a process before this one: the subject waits for what it knew.
void Loop::await_return(Subject& subject, TimePoint now) {
  Subject::Return& awaited = subject.returning.emplace();
  awaited.until = now + subject.policy.stable_window;
  // One that nobody has scaled yet may still be at its start.
  if (subject.view.generation > 1) subject.state.initial_reached = true;
  if (subject.view.replicas == 0) return;  // it may wake
  subject.state.hold_until = awaited.until;
  subject.collector.await_history();
}

void Loop::take_early(Subject& subject) {
  for (EarlyHistory::Told& told : early_.take(subject.view.key)) {
    subject.collector.history(told.source, told.history, told.at);
    const RefusalCounts& refusals = told.history.until.load.refusals;
    if (!told.gone) chronicle_.refused_before(subject.view.key, told.source, refusals);
    if (told.ended) subject.collector.history_end(told.source);
    if (told.gone) subject.collector.lost(told.source, told.at);
  }
  if (subject.returning) subject.returning->checkpoint = early_.take_checkpoint(subject.view.key);
}

void Loop::settle_return(Subject& subject, TimePoint now) {
  if (!subject.returning) return;
  const bool senders = subject.collector.senders_known() || now >= senders_by_;
  const bool told = registry_.all_replayed(subject.view.key) && senders && !early_.overflowed();
  if (!told && now < subject.returning->until) return;
  subject.collector.begin();
  if (told) {
    const auto& kept = subject.returning->checkpoint;
    subject.state.hold_until.reset();
    if (kept && !subject.returning->woken) {
      subject.state = restore(kept->frame, kept->taken);
      take_missed_turns(subject, kept->taken, now);
    }
  }
  log_info("replayed", {{"namespace", subject.view.key.name_space},
                        {"revision", subject.view.key.revision},
                        {"complete", told},
                        {"checkpoint", subject.returning->checkpoint.has_value()}});
  subject.returning.reset();
  // The one before has not heard of its replicas either: they have no sidecar.
  const wire::RevisionKey& key = subject.view.key;
  const bool heard = registry_.ready_count(key) > 0 || registry_.in_slices(key);
  if (!heard && subject.view.replicas > 0 && subject.view.ready > 0) arrives(subject, now);
}

/// The turns since the leader before was last heard of, by what was measured until then: what they
/// would have remembered counts (a peak in panic, the numbers of scale-down-delay), no more.
void Loop::take_missed_turns(Subject& subject, TimePoint remembered, TimePoint now) {
  if (!vacant_since_) return;
  const wire::RevisionKey& key = subject.view.key;
  const TimePoint since = std::max({*vacant_since_, remembered, now - kLongestGap});
  DeciderState past = subject.state;
  for (TimePoint turn = next_turn(key, since); turn < now; turn = next_turn(key, turn)) {
    subject.collector.limit_waits(past.active_since);
    subject.collector.advance(turn, demand_known(subject));
    const Observation seen = observe(subject, std::nullopt, turn);
    static_cast<void>(decide(seen, subject.policy, past, turn));
  }
  // Times of rest count from turns that somebody has acted upon.
  subject.state.panic_since = past.panic_since;
  subject.state.max_panic = past.max_panic;
  subject.state.delayed = past.delayed;
}

/// Leaves with the activators what a successor would have to know. A process that does not know it
/// itself yet has nothing better than what they have.
void Loop::leave_checkpoint(Subject& subject, TimePoint now) {
  if (subject.returning) return;
  DeciderState state = subject.state;
  state.hold_until.reset();
  if (subject.left == state) return;
  subject.left = std::move(state);
  registry_.put_checkpoint(make_checkpoint(subject.view.key, epoch_, *subject.left, now));
}

void Loop::record_seconds(Subject& subject) {
  subject.collector.watch(
      [this, key = subject.view.key](TimeWindow::Second second, double demand, bool late) {
        recording_->append(second_line(key, epoch_, second, demand, late));
      });
}

void Loop::record_turn(Subject& subject, const LoggedDecision& logged) {
  const WindowShape shape = shape_of(subject.view.policy);
  RecordedTurn turn;
  turn.logged = logged;
  turn.epoch = epoch_;
  turn.closed = subject.collector.newest();
  turn.panic_seconds = shape.panic_seconds;
  turn.averaging = shape.averaging;
  turn.returning = subject.returning.has_value();
  turn.given = std::exchange(subject.given, false);
  recording_->append(turn_line(subject.view.key, subject.view.service, turn));
}

void Loop::history(wire::Peer& peer, const wire::History& frame) {
  const wire::Hello& hello = peer.hello();
  const wire::RevisionKey& revision = frame.until.revision;
  if (frame.until.epoch != hello.epoch) return;
  if (hello.role == wire::Role::sidecar && revision != hello.revision) return;
  const auto found = subjects_.find(revision);
  if (found != subjects_.end()) {
    found->second->collector.history(source_of(hello), frame, clock_.now());
    chronicle_.refused_before(revision, source_of(hello), frame.until.load.refusals);
  } else if (!deployments_known_) {
    early_.keep(source_of(hello), frame, clock_.now());
  }
}

void Loop::history_end(wire::Peer& peer, const wire::HistoryEnd& frame) {
  const wire::Hello& hello = peer.hello();
  if (frame.epoch != hello.epoch) return;
  const SourceId source = source_of(hello);
  for (auto& [key, subject] : subjects_) subject->collector.history_end(source);
  early_.end(source);
  registry_.replayed(peer);
}

void Loop::checkpoint(const wire::Checkpoint& frame) {
  KeptCheckpoint kept;
  kept.frame = frame;
  kept.taken = taken_at(frame, clock_.now());
  const auto found = subjects_.find(frame.revision);
  if (found == subjects_.end()) {
    if (!deployments_known_) early_.keep(kept);
    return;
  }
  auto& awaited = found->second->returning;
  if (!awaited) return;
  if (!awaited->checkpoint || awaited->checkpoint->taken < kept.taken) awaited->checkpoint = kept;
}

}  // namespace pilotlight::autoscaler
