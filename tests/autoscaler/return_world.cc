#include "tests/autoscaler/return_world.h"

#include <algorithm>

namespace pilotlight::autoscaler {

using namespace std::chrono_literals;

namespace {

constexpr Duration kStepOfWorld = 50ms;
constexpr Duration kReportPeriod = 250ms;

}  // namespace

void FakeSender::carry(std::uint32_t in_flight, Via via, std::uint32_t turnover, TimePoint now) {
  std::uint32_t& carried = carried_[via];
  for (; carried < in_flight; ++carried) meter_.arrived(now, via);
  for (; carried > in_flight; --carried) meter_.departed(now, via);
  for (std::uint32_t i = 0; i < turnover; ++i) {
    meter_.arrived(now, via);
    meter_.departed(now, via);
  }
}

void FakeSender::report(Loop& loop, TimePoint now) {
  wire::Waiting waiting;
  waiting.oldest_wait_us = oldest_wait_us;
  const wire::Stats stats =
      wire::make_stats(revision_, hello_.epoch, meter_.snapshot(now), waiting, 0);
  history_.record(stats.load, oldest_wait_us);
  if (!connected()) return;
  keep_checkpoint(now);
  if (!told_ && replays) replay(loop, stats, now);
  loop.received(*peer_, stats);
}

void FakeSender::connect(Loop& loop) {
  peer_ = std::make_unique<FakePeer>(hello_);
  told_ = false;
  loop.joined(*peer_);
  if (ready) {
    wire::Ready frame;
    frame.epoch = hello_.epoch;
    loop.received(*peer_, frame);
  }
}

void FakeSender::cut(TimePoint now) {
  if (connected()) keep_checkpoint(now);
  peer_.reset();
}

void FakeSender::disconnect(Loop& loop) {
  if (connected()) loop.left(*peer_, "gone", false);
  peer_.reset();
}

void FakeSender::keep_checkpoint(TimePoint now) {
  if (peer_->checkpoints.empty()) return;
  kept_ = peer_->checkpoints.back();
  kept_at_ = now;
  peer_->checkpoints.clear();
}

void FakeSender::replay(Loop& loop, const wire::Stats& stats, TimePoint now) {
  told_ = true;
  for (const wire::Frame& frame : wire::make_history(stats, history_)) {
    loop.received(*peer_, frame);
  }
  if (kept_) {
    wire::Checkpoint checkpoint = *kept_;
    checkpoint.held_us = static_cast<std::uint64_t>((now - kept_at_) / 1us);
    loop.received(*peer_, checkpoint);
  }
  wire::HistoryEnd end;
  end.epoch = hello_.epoch;
  loop.received(*peer_, end);
}

ReturnWorld::ReturnWorld(Plan plan)
    : plan_(std::move(plan)), replicas_(plan_.view.replicas), generation_(plan_.view.generation) {
  clock_.advance(1000s);
  begun_ = clock_.now();
  for (std::size_t i = 0; i < plan_.activators; ++i) {
    wire::Hello hello = FakePeer::activator(100 + i);
    hello.replica = "activator-" + std::to_string(i);
    activators_.push_back(std::make_unique<FakeSender>(hello, plan_.view.key, begun_));
  }
  start_loop();
  // The first process of all found nothing that had to be protected.
  loop_->deployments_known();
  tell_deployments();
}

ReturnWorld::~ReturnWorld() {
  loop_->close();
  clock_.settle();
}

void ReturnWorld::start_loop() {
  ScaleTarget& target = *this;
  loop_ = std::make_unique<Loop>(scope_, clock_, ++epochs_, target, random_);
  scope_.spawn(loop_->run());
  loop_begun_ = clock_.now();
  deployments_told_ = false;
  clock_.settle();
}

void ReturnWorld::kill() {
  for (const auto& sender : activators_) sender->cut(now());
  for (const auto& sender : sidecars_) sender->cut(now());
  loop_->close();
  clock_.settle();
  loop_.reset();
  start_loop();
  if (plan_.vacant == Duration::zero()) return;
  led_ = false;
  loop_->follow();
}

void ReturnWorld::tell_deployments() {
  deployments_told_ = true;
  echo();
  std::set<std::string> addresses;
  for (const auto& sidecar : sidecars_) {
    if (sidecar->ready) addresses.insert(sidecar->hello().address);
  }
  loop_->registry().set_slice_addresses(plan_.view.key, addresses);
  loop_->deployments_known();
  loop_->registry().slices_known();
}

void ReturnWorld::echo() {
  echo_due_ = false;
  SubjectView view = plan_.view;
  view.replicas = replicas_;
  view.generation = generation_;
  loop_->track(view);
}

Task<PatchAnswer> ReturnWorld::set_replicas(std::string, std::string, std::int32_t n) {
  replicas_ = n;
  ++generation_;
  counts[clock_.now()] = n;
  echo_due_ = true;
  const PatchAnswer taken;
  co_return taken;
}

bool ReturnWorld::returning() const {
  const auto found = loop_->subjects().find(plan_.view.key);
  return found == loop_->subjects().end() || found->second->returning.has_value();
}

/// Replicas come a second after they were asked for, and go at once.
void ReturnWorld::reconnect() {
  const Duration alive = now() - loop_begun_;
  if (!led_ && alive >= plan_.vacant) {
    led_ = true;
    loop_->lead(loop_begun_);
  }
  if (!deployments_told_ && alive >= plan_.deployments_after) tell_deployments();
  while (static_cast<std::int32_t>(sidecars_.size()) > replicas_) {
    sidecars_.back()->disconnect(*loop_);
    sidecars_.pop_back();
    born_.pop_back();
  }
  while (static_cast<std::int32_t>(sidecars_.size()) < replicas_) {
    const std::string name = "r" + std::to_string(sidecars_.size());
    const auto epoch = static_cast<std::uint64_t>(now().time_since_epoch().count());
    sidecars_.push_back(
        std::make_unique<FakeSender>(FakePeer::sidecar(name, epoch), plan_.view.key, now()));
    born_.push_back(now());
  }
  for (const auto& sender : activators_) {
    if (!sender->connected() && alive >= plan_.activator_after) sender->connect(*loop_);
  }
  for (std::size_t i = 0; i < sidecars_.size(); ++i) {
    FakeSender& sidecar = *sidecars_[i];
    if (now() - born_[i] < 1s) continue;
    sidecar.ready = true;
    sidecar.replays = plan_.sidecars_replay;
    const Duration due = plan_.sidecar_after + 50ms * i;
    if (!sidecar.connected() && alive >= due) sidecar.connect(*loop_);
  }
}

void ReturnWorld::carry() {
  const Offered offered = plan_.shape(now() - begun_);
  const auto n = static_cast<std::uint32_t>(activators_.size());
  for (std::uint32_t i = 0; i < n; ++i) {
    const std::uint32_t share = (offered.via_activator + i) / n;
    activators_[i]->carry(share, Via::client, offered.turnover, now());
    activators_[i]->oldest_wait_us = offered.wait_us;
  }
  std::uint32_t ready = 0;
  for (const auto& sidecar : sidecars_) ready += sidecar->ready ? 1 : 0;
  std::uint32_t i = 0;
  for (const auto& sidecar : sidecars_) {
    if (!sidecar->ready) continue;
    sidecar->carry((offered.via_activator + i) / ready, Via::activator, 0, now());
    sidecar->carry(i == 0 ? offered.direct : 0, Via::client, 0, now());
    ++i;
  }
}

void ReturnWorld::step() {
  const bool turn = !returning() && subject().next_tick == now() + kStepOfWorld;
  const TimePoint due = now() + kStepOfWorld;
  clock_.advance(kStepOfWorld);
  if (turn) decisions[due] = subject().last;
  if (echo_due_ && deployments_told_) echo();
  reconnect();
  carry();
  // Each at its own moments, which are no whole seconds for all of them.
  std::int64_t number = 0;
  const auto report = [&](FakeSender& sender) {
    const Duration moment = now().time_since_epoch() % kReportPeriod;
    if (moment == kStepOfWorld * (number++ % 5)) sender.report(*loop_, now());
  };
  for (const auto& sender : activators_) report(*sender);
  for (const auto& sender : sidecars_) report(*sender);
  clock_.settle();
}

}  // namespace pilotlight::autoscaler
