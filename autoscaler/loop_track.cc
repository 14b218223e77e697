// Which revisions there are, and whether they are ours to decide about.

#include <utility>

#include "autoscaler/loop.h"
#include "common/base/log.h"

namespace pilotlight::autoscaler {
namespace {

// A client notices after 4 s of silence that the machine of the leader before has gone, and that
// leader's lease may have run out 2.75 s after its last word.
constexpr Duration kElectedSendersTime = std::chrono::seconds(4);

}  // namespace

void Loop::follow() noexcept {
  leading_ = false;
  chronicle_.write_to(nullptr);  // the leader tells the story
}

void Loop::lead(std::optional<TimePoint> vacant_since) {
  if (leading_) return;
  leading_ = true;
  vacant_since_ = vacant_since;
  chronicle_.write_to(file_);
  senders_by_ = clock_.now() + kElectedSendersTime;
  const bool known = std::exchange(deployments_known_, false);  // none is new: another led
  for (const auto& [key, view] : std::exchange(followed_, {})) track(view);
  if (known) deployments_known();
}

void Loop::deployments_known() {
  deployments_known_ = true;
  early_.clear();
  promise_again();
}

void Loop::tell_paths(PathTeller& paths) noexcept {
  paths_ = &paths;
  registry_.expect_paths();
}

void Loop::paths_known() {
  paths_known_ = true;
  promise_again();
}

/// Which replicas clients may come to is known once both lists are.
void Loop::promise_again() {
  if (!paths_known_ || !deployments_known_) return;
  for (const auto& [key, subject] : subjects_) note_path(*subject, clock_.now());
  registry_.paths_known();
}

void Loop::track(const SubjectView& view) {
  const TimePoint now = clock_.now();
  chronicle_.know(view.key, view.service, view.deployment, now);
  if (!leading_) {
    followed_.insert_or_assign(view.key, view);
    return;
  }
  std::unique_ptr<Subject>& place = subjects_[view.key];
  const bool added = place == nullptr;
  if (added) place = std::make_unique<Subject>(now);
  Subject& subject = *place;
  const std::int32_t before = subject.view.replicas;
  subject.view = view;
  subject.policy = policy_of(view.policy);
  subject.policy.reachable = view.reachable;
  subject.collector.reshape(shape_of(view.policy));
  if (subject.patched && now < subject.patched->until && view.replicas == subject.patched->from) {
    subject.view.replicas = before;
  }
  const auto rival = rivals_.find({view.key.name_space, view.deployment});
  leave_to(subject, rival == rivals_.end() ? std::string() : rival->second);
  if (!subject.rival.empty()) subject.desired = view.replicas;
  chronicle_.creation_refused(view.key, view.refused, now);
  registry_.track(view.key, subject.policy.stable_window, now);
  tell_cause(view.key);
  if (!added) return;
  subject.desired = view.replicas;
  note_path(subject, now);
  subject.next_tick = next_turn(view.key, now);
  subject.collector.spread(subject.next_tick.time_since_epoch() % kTick / 5);
  if (!deployments_known_) {
    await_return(subject, now);
  } else if (view.replicas > 0 && (view.generation > 1 || view.ready > 0)) {
    arrives(subject, now);
  }
  if (recording_ != nullptr) record_seconds(subject);
  take_early(subject);
  if (const auto early = early_pokes_.extract(view.key)) early_poke(subject, early.mapped(), now);
}

void Loop::untrack(const wire::RevisionKey& revision) {
  if (paths_ != nullptr) paths_->forget(revision);
  scaler_.forget(revision);  // it is not ours any more, or not that one
  followed_.erase(revision);
  subjects_.erase(revision);
  log_.forget(revision);
  registry_.untrack(revision);
  chronicle_.forget(revision);
}

void Loop::rival(const Rivals::Name& deployment, const std::string& who) {
  if (who.empty()) {
    rivals_.erase(deployment);
  } else {
    rivals_[deployment] = who;
  }
  for (const auto& [key, subject] : subjects_) {
    if (key.name_space != deployment.first) continue;
    if (subject->view.deployment == deployment.second) leave_to(*subject, who);
  }
}

/// Two that scale one Deployment would undo each other's work for ever.
void Loop::leave_to(Subject& subject, const std::string& who) {
  if (subject.rival == who) return;
  subject.rival = who;
  const wire::RevisionKey& key = subject.view.key;
  chronicle_.left_to(key, who, clock_.now());
  tell_cause(key);
  if (who.empty()) {
    log_info("scaled again", {{"namespace", key.name_space}, {"revision", key.revision}});
    subject.state = DeciderState();  // what it remembers is of another time
    subject.state.initial_reached = true;
    subject.given = true;
    if (subject.returning && subject.collector.awaiting()) {
      subject.state.hold_until = subject.returning->until;  // the windows are empty still
    }
    return;
  }
  log_warn("left alone: somebody else scales it",
           {{"namespace", key.name_space}, {"revision", key.revision}, {"scaled_by", who}});
  scaler_.forget(key);
  subject.desired = subject.view.replicas;
}

void Loop::pod_changed(const PodView& pod) {
  costs_.seen(pod);
  if (const auto* owner = chronicle_.pod_changed(pod, clock_.now())) tell_cause(*owner);
}

void Loop::pod_gone(const PodView& pod) {
  costs_.gone(pod);
  if (const auto* owner = chronicle_.pod_gone(pod, clock_.now())) tell_cause(*owner);
}

void Loop::pod_warned(const WarningView& warning) {
  if (const auto* owner = chronicle_.pod_warned(warning, clock_.now())) tell_cause(*owner);
}

void Loop::image_pulled(const PulledView& pulled) {
  if (const auto* owner = chronicle_.image_pulled(pulled, clock_.now())) tell_cause(*owner);
}

/// To those whose requests wait for it.
void Loop::tell_cause(const wire::RevisionKey& revision) {
  registry_.set_cause(revision, chronicle_.cause(revision));
}

}  // namespace pilotlight::autoscaler
