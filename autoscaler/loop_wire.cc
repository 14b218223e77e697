// What comes in over the wire, and whom it is for.

#include <algorithm>

#include "autoscaler/checkpoint.h"
#include "autoscaler/loop.h"
#include "common/base/log.h"

namespace pilotlight::autoscaler {
namespace {

constexpr std::size_t kEarlyPokes = 1000;
constexpr Duration kEarlyFor = std::chrono::seconds(10);  // who waits says so again and again

}  // namespace

void Loop::joined(wire::Peer& peer) {
  const wire::Hello& hello = peer.hello();
  log_info("joined", {{"role", hello.role == wire::Role::sidecar ? "sidecar" : "activator"},
                      {"revision", hello.revision.revision},
                      {"replica", hello.replica}});
  registry_.joined(peer);
  if (hello.role == wire::Role::sidecar) return;
  for (const auto& [key, subject] : subjects_) {
    if (!subject->left) continue;
    peer.put_checkpoint(make_checkpoint(key, epoch_, *subject->left, clock_.now()));
  }
}

void Loop::received(wire::Peer& peer, const wire::Frame& frame) {
  if (closed_) return;
  if (const auto* load = std::get_if<wire::Stats>(&frame)) return stats(peer, *load);
  if (const auto* past = std::get_if<wire::History>(&frame)) return history(peer, *past);
  if (const auto* end = std::get_if<wire::HistoryEnd>(&frame)) return history_end(peer, *end);
  if (const auto* kept = std::get_if<wire::Checkpoint>(&frame)) return checkpoint(*kept);
  if (const auto* parked = std::get_if<wire::Poke>(&frame)) return poke(peer, *parked);
  if (const auto* up = std::get_if<wire::Ready>(&frame)) return registry_.ready(peer, *up);
  if (const auto* down = std::get_if<wire::NotReady>(&frame)) {
    return registry_.not_ready(peer, *down);
  }
  if (const auto* done = std::get_if<wire::Drained>(&frame)) return registry_.drained(peer, *done);
  if (const auto* wake = std::get_if<wire::Woken>(&frame)) {
    return chronicle_.woken(wake->revision, *wake, clock_.now());
  }
}

void Loop::left(wire::Peer& peer, std::string_view reason, bool replaced) {
  log_info("left", {{"revision", peer.hello().revision.revision},
                    {"replica", peer.hello().replica},
                    {"reason", reason}});
  const TimePoint now = clock_.now();
  if (!replaced) lost(peer.hello(), now);
  registry_.left(peer, replaced, now);
}

/// A sidecar reports on its own revision only.
void Loop::lost(const wire::Hello& hello, TimePoint now) {
  const SourceId source = source_of(hello);
  early_.lost(source);
  if (hello.role == wire::Role::sidecar) {
    const auto found = subjects_.find(hello.revision);
    if (found != subjects_.end()) found->second->collector.lost(source, now);
    chronicle_.lost(hello.revision, source, now);
    return;
  }
  for (auto& [key, subject] : subjects_) {
    subject->collector.lost(source, now);
    chronicle_.lost(key, source, now);
  }
}

void Loop::stats(wire::Peer& peer, const wire::Stats& frame) {
  const wire::Hello& hello = peer.hello();
  if (frame.epoch != hello.epoch) return;
  if (hello.role == wire::Role::sidecar && frame.revision != hello.revision) return;
  const auto found = subjects_.find(frame.revision);
  if (found == subjects_.end()) return;
  const SourceId source = source_of(hello);
  const TimePoint now = clock_.now();
  Subject& subject = *found->second;
  subject.collector.report(source, frame, now);
  if (chronicle_.refused(frame.revision, source, frame.load.refusals, now)) subject.refusing = true;
}

void Loop::poke(wire::Peer& activator, const wire::Poke& frame) {
  const auto found = subjects_.find(frame.revision);
  const TimePoint now = clock_.now();
  if (found == subjects_.end()) return keep_early(frame, now);
  if (registry_.ready_count(frame.revision) > 0) {
    registry_.repeat(frame.revision, activator);  // the two crossed
    return;
  }
  chronicle_.poked(frame.revision, frame.parked, told_length(frame.oldest_wait_us), now);
  decide_on(*found->second, std::max(frame.parked, 1U), now);
}

void Loop::keep_early(const wire::Poke& frame, TimePoint now) {
  if (early_pokes_.size() >= kEarlyPokes) {
    std::erase_if(early_pokes_, [&](const auto& one) { return now - one.second.at > kEarlyFor; });
  }
  if (early_pokes_.size() >= kEarlyPokes) return;
  early_pokes_[frame.revision] = {now, frame.parked, told_length(frame.oldest_wait_us)};
}

void Loop::early_poke(Subject& subject, const EarlyPoke& poke, TimePoint now) {
  const Duration ago = now - poke.at;
  if (ago > kEarlyFor) return;
  chronicle_.poked(subject.view.key, poke.parked, poke.oldest_wait + ago, now);
  decide_on(subject, std::max(poke.parked, 1U), now);
}

}  // namespace pilotlight::autoscaler
