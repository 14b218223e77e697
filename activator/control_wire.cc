// Control's other half: what it says to the autoscaler and hears from it, and the event log.
#include <algorithm>

#include "activator/control.h"
#include "common/base/log.h"
#include "common/wire/report.h"

namespace pilotlight::activator {
namespace {

using namespace std::chrono_literals;
using kube::Json;

/// DRAINED frames kept while the autoscaler is away.
constexpr std::size_t kUnsaidMax = 1000;

std::uint64_t us(Duration time) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(
      0, std::chrono::duration_cast<std::chrono::microseconds>(time).count()));
}

wire::RevisionKey key_of(const RevisionInfo& revision) {
  return wire::RevisionKey{revision.name_space, revision.name};
}

Json named(const RevisionInfo& revision) {
  return Json{{"namespace", revision.name_space}, {"revision", revision.name}};
}

}  // namespace

void Control::connected(const wire::Welcome& welcome) {
  log_info("autoscaler connected", {{"server_epoch", welcome.server_epoch},
                                    {"report_period_ms", welcome.report_period_ms}});
  if (welcome.report_period_ms > 0) {
    period_ = std::clamp<Duration>(std::chrono::milliseconds(welcome.report_period_ms), 50ms, 10s);
    pause_->cancel();
  }
  homes_->set_connected(true);
  homes_->poke_again();
  while (!unsaid_.empty() && autoscaler_->send(unsaid_.front())) unsaid_.pop_front();
}

void Control::disconnected(std::string_view reason) {
  log_warn("autoscaler away", {{"reason", reason}});
  homes_->set_connected(false);
}

void Control::received(const wire::Frame& frame) {
  if (const auto* endpoints = std::get_if<wire::Endpoints>(&frame)) {
    endpoints_came(*endpoints);
  } else if (const auto* drain = std::get_if<wire::Drain>(&frame)) {
    drain_came(*drain);
  } else if (const auto* checkpoint = std::get_if<wire::Checkpoint>(&frame)) {
    checkpoint_came(*checkpoint);
  }
}

void Control::endpoints_came(const wire::Endpoints& endpoints) {
  Known& known = known_[endpoints.revision];
  const bool new_cause = endpoints.cause != (known.endpoints ? known.endpoints->cause : "");
  known.endpoints = endpoints;
  if (known.info && new_cause) tell_failure(known);
  if (known.leaving) return;
  if (known.info) {
    homes_->apply(known.info, endpoints);
  } else if (endpoints.replicas.empty() && endpoints.cause.empty() && known.slices.empty()) {
    known_.erase(endpoints.revision);
  }
}

void Control::checkpoint_came(const wire::Checkpoint& checkpoint) {
  const auto found = known_.find(checkpoint.revision);
  if (found == known_.end()) return;  // the next change brings another
  found->second.checkpoint = checkpoint;
  found->second.checkpoint_at = parts_.clock.now();
}

void Control::drain_came(const wire::Drain& drain) {
  const auto found = known_.find(drain.revision);
  if (found != known_.end() && found->second.info) {
    homes_->drain(found->second.info, {drain.replica, drain.epoch});
    return;
  }
  // Nothing is routed there, so nothing of ours can be in flight.
  wire::Drained answer;
  answer.revision = drain.revision;
  answer.replica = drain.replica;
  answer.epoch = drain.epoch;
  send_drained(std::move(answer));
}

void Control::send_drained(wire::Drained frame) {
  if (autoscaler_->send(frame)) return;
  if (unsaid_.size() == kUnsaidMax) unsaid_.pop_front();
  unsaid_.push_back(std::move(frame));
}

void Control::poke(const RevisionInfo& revision, std::uint32_t parked, Duration oldest_wait) {
  wire::Poke poke;
  poke.revision = key_of(revision);
  poke.parked = parked;
  poke.oldest_wait_us = us(oldest_wait);
  autoscaler_->send(std::move(poke));  // said again once it is back
}

void Control::drained(const RevisionInfo& revision, const ReplicaSet::Drained& replica) {
  wire::Drained frame;
  frame.revision = key_of(revision);
  frame.replica = replica.name;
  frame.epoch = replica.epoch;
  send_drained(std::move(frame));
}

void Control::parked(const RevisionInfo& revision, TimePoint parked_at) {
  Json fields = named(revision);
  fields["at_us"] = control::monotonic_us(parked_at);
  parts_.events.record("parked", std::move(fields));
}

void Control::served(const RevisionInfo& revision, const WakeStory& story,
                     TimePoint first_byte_at) {
  Json fields = named(revision);
  fields["parked_at_us"] = control::monotonic_us(story.parked_at);
  fields["endpoints_at_us"] = control::monotonic_us(story.endpoints_at);
  fields["dispatched_at_us"] = control::monotonic_us(story.dispatched_at);
  fields["first_byte_at_us"] = control::monotonic_us(first_byte_at);
  parts_.events.record("served", std::move(fields));
  wire::Woken woken;
  woken.revision = key_of(revision);
  woken.answered = true;
  woken.waited_us = us(first_byte_at - story.parked_at);
  autoscaler_->send(std::move(woken));
}

void Control::unserved(const RevisionInfo& revision, TimePoint parked_at, RefusalCause cause) {
  const auto found = known_.find(key_of(revision));
  std::string text(to_string(cause));
  const std::string_view why = found == known_.end() ? std::string_view() : cause_of(found->second);
  if (!why.empty()) text.append(": ").append(why);
  log_warn("parked requests not served",
           {{"namespace", revision.name_space}, {"revision", revision.name}, {"cause", text}});
  Json fields = named(revision);
  fields["parked_at_us"] = control::monotonic_us(parked_at);
  fields["cause"] = std::move(text);
  parts_.events.record("unserved", std::move(fields));
  wire::Woken woken;
  woken.revision = key_of(revision);
  woken.cause = cause;
  woken.waited_us = us(parts_.clock.now() - parked_at);
  autoscaler_->send(std::move(woken));
}

Task<> Control::run() {
  TimePoint next = parts_.clock.now();
  while (!stopped_) {
    // A connect may have changed the period; the wait is then begun anew.
    next = std::max(std::min(next, parts_.clock.now()) + period_, parts_.clock.now());
    const bool due = co_await pause_->wait_until(next);
    if (stopped_) co_return;
    if (!due) continue;
    end_leaving();
    const std::vector<RevisionReport> reports = co_await homes_->collect();
    report(reports);
  }
}

void Control::stop() noexcept {
  stopped_ = true;
  pause_->cancel();
}

void Control::report(const std::vector<RevisionReport>& reports) {
  const TimePoint now = parts_.clock.now();
  std::vector<wire::Stats> all;
  for (const RevisionReport& line : reports) {
    const auto found = known_.find(key_of(*line.revision));
    if (found == known_.end() || !found->second.info) continue;
    Known& known = found->second;
    if (known.counted_at != TimePoint() && now > known.counted_at) {
      const double seconds = std::chrono::duration<double>(now - known.counted_at).count();
      const std::uint64_t more = line.load.arrivals - std::min(known.arrivals, line.load.arrivals);
      known.rate = static_cast<double>(more) / seconds;
    }
    known.arrivals = line.load.arrivals;
    known.counted_at = now;
    wire::Waiting waiting;
    waiting.queued = static_cast<std::uint32_t>(line.parked);
    waiting.oldest_wait_us = us(line.oldest_wait);
    known.history.record(line.load, waiting.oldest_wait_us);
    all.push_back(wire::make_stats(key_of(*line.revision), parts_.epoch, line.load, waiting, 0));
  }
  if (autoscaler_->wants_history()) replay(all);
  for (wire::Stats& stats : all) {
    if (autoscaler_->connected()) known_.at(stats.revision).told_refusals = stats.load.refusals;
    autoscaler_->put_stats(std::move(stats));
  }
}

/// All that an autoscaler who has just begun cannot know of what came before.
void Control::replay(const std::vector<wire::Stats>& reported) {
  std::vector<wire::Frame> frames;
  for (const wire::Stats& stats : reported) {
    const Known& known = known_.at(stats.revision);
    if (known.history.seconds().empty()) continue;
    wire::Stats until = stats;
    until.load.refusals = known.told_refusals;
    for (wire::Frame& frame : wire::make_history(until, known.history)) {
      frames.push_back(std::move(frame));
    }
  }
  for (const auto& [key, known] : known_) {
    if (!known.checkpoint) continue;
    wire::Checkpoint checkpoint = *known.checkpoint;
    checkpoint.held_us += us(parts_.clock.now() - known.checkpoint_at);
    frames.emplace_back(std::move(checkpoint));
  }
  autoscaler_->put_history(std::move(frames));
}

double Control::rate(const RevisionInfo& revision) const {
  const auto found = known_.find(key_of(revision));
  return found == known_.end() ? 0.0 : found->second.rate;
}

}  // namespace pilotlight::activator
