// Which revisions there are, and whether they are ours to decide about.

#include <utility>

#include "autoscaler/loop.h"

namespace pilotlight::autoscaler {
namespace {

// A client notices after 4 s of silence that the machine of the leader before has gone, and that
// leader's lease may have run out as soon as 1.5 s after its last word.
constexpr Duration kElectedSendersTime = std::chrono::seconds(4);

}  // namespace

void Loop::follow() noexcept {
  leading_ = false;
  chronicle_.write_to(nullptr);  // the leader tells the story
}

void Loop::lead() {
  if (leading_) return;
  leading_ = true;
  chronicle_.write_to(file_);
  senders_by_ = clock_.now() + kElectedSendersTime;
  const bool known = std::exchange(deployments_known_, false);  // none is new: another led
  for (const auto& [key, view] : std::exchange(followed_, {})) track(view);
  if (known) deployments_known();
}

void Loop::deployments_known() {
  deployments_known_ = true;
  early_.clear();
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
  registry_.track(view.key, subject.policy.stable_window, now);
  if (!added) return;
  subject.desired = view.replicas;
  subject.next_tick = next_turn(view.key, now);
  if (!deployments_known_) await_return(subject, now);
  if (recording_ != nullptr) record_seconds(subject);
  take_early(subject);
  const auto early = early_pokes_.extract(view.key);
  if (early) decide_on(subject, early.mapped(), now);
}

void Loop::untrack(const wire::RevisionKey& revision) {
  followed_.erase(revision);
  subjects_.erase(revision);
  log_.forget(revision);
  registry_.untrack(revision);
  chronicle_.forget(revision);
}

}  // namespace pilotlight::autoscaler
