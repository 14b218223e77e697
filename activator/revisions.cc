#include "activator/revisions.h"

#include <boost/asio/post.hpp>

#include "common/base/check.h"

namespace pilotlight::activator {
namespace {

std::string_view state_of(const Replica& replica) noexcept {
  if (!replica.listed) return "gone";
  if (replica.closed || replica.state == wire::ReplicaState::draining) return "draining";
  if (replica.finding != Finding::none) return name_of(replica.finding);
  return replica.doubted ? "doubted" : "ready";
}

}  // namespace

Revisions::Revisions(std::size_t index, Executor executor, const HomeParts& parts)
    : index_(index), executor_(executor), parts_(parts) {}

Home* Revisions::find(std::uint32_t revision) noexcept {
  const auto found = homes_.find(revision);
  return found == homes_.end() ? nullptr : found->second.get();
}

void Revisions::settle(Home& home) {
  if (home.over()) {
    homes_.erase(home.revision()->id);
  } else {
    home.arm();
  }
}

void Revisions::set_failure(std::uint32_t revision, std::string why) {
  if (why.empty()) {
    failures_.erase(revision);
  } else {
    failures_[revision] = std::move(why);
  }
}

std::string Revisions::failure(std::uint32_t revision) const {
  const auto found = failures_.find(revision);
  return found == failures_.end() ? std::string() : found->second;
}

void Revisions::install(RevisionPtr revision) {
  if (Home* home = find(revision->id)) {
    home->change(std::move(revision));
    return;
  }
  const std::uint32_t id = revision->id;
  auto home = std::make_unique<Home>(parts_, std::move(revision));
  home->dispatcher().set_connected(connected_, parts_.clock.now());
  homes_.emplace(id, std::move(home));
}

void Revisions::retire(std::uint32_t revision) {
  Home* home = find(revision);
  if (home == nullptr) return;
  home->retire();
  settle(*home);
}

void Revisions::apply(std::uint32_t revision, const wire::Endpoints& endpoints) {
  Home* home = find(revision);
  if (home == nullptr) return;
  home->dispatcher().apply(endpoints, parts_.clock.now());
  settle(*home);
}

void Revisions::apply_slices(std::uint32_t revision, std::vector<SliceReplica> slices) {
  Home* home = find(revision);
  if (home == nullptr) return;
  home->dispatcher().apply_slices(std::move(slices), parts_.clock.now());
  settle(*home);
}

void Revisions::set_connected(bool connected) {
  connected_ = connected;
  for (const auto& [id, home] : homes_) {
    home->dispatcher().set_connected(connected, parts_.clock.now());
    home->arm();
  }
}

void Revisions::poke_again() {
  for (const auto& [id, home] : homes_) home->dispatcher().poke_again(parts_.clock.now());
}

void Revisions::drain(const RevisionPtr& revision, const ReplicaSet::Drained& replica) {
  if (Home* home = find(revision->id)) {
    home->dispatcher().drain(replica.name, replica.epoch, parts_.clock.now());
    settle(*home);
    return;
  }
  asio::post(parts_.control, [listener = &parts_.listener, revision, replica] {
    listener->drained(*revision, replica);
  });
}

std::vector<RevisionReport> Revisions::report() const {
  const TimePoint now = parts_.clock.now();
  std::vector<RevisionReport> reports;
  for (const auto& [id, home] : homes_) {
    const Dispatcher& dispatcher = home->dispatcher();
    RevisionReport report;
    report.revision = home->revision();
    report.parked = dispatcher.parked();
    report.parked_bytes = dispatcher.parked_bytes();
    report.oldest_wait = dispatcher.oldest_wait(now);
    report.in_flight = dispatcher.placed();
    report.load = dispatcher.load(now);
    for (const auto& replica : dispatcher.replicas().all()) {
      RevisionReport::ReplicaLine line;
      line.place = replica->place;
      line.capacity = replica->capacity;
      line.in_flight = replica->in_flight;
      line.state = state_of(*replica);
      report.replicas.push_back(std::move(line));
    }
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace pilotlight::activator
