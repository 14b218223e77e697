#include "activator/homes.h"

#include <boost/asio/post.hpp>

namespace pilotlight::activator {

/// What collect() waits for. Shared with the shards' answers, which may come after it gave up.
struct Homes::Collection {
  explicit Collection(Clock& clock) : complete(clock) {}
  std::vector<RevisionReport> reports;
  std::size_t missing = 0;
  Event complete;
};

Homes::Homes(Executor control, Clock& clock, std::vector<Revisions*> shards)
    : control_(control), clock_(clock), shards_(std::move(shards)) {}

template <class What>
void Homes::each(What what) {
  for (Revisions* shard : shards_) {
    asio::post(shard->executor(), [shard, what] { what(*shard); });
  }
}

void Homes::install(const RevisionPtr& revision) {
  Revisions& there = home(*revision);
  asio::post(there.executor(), [&there, revision] { there.install(revision); });
}

void Homes::retire(const RevisionPtr& revision) {
  Revisions& there = home(*revision);
  asio::post(there.executor(), [&there, id = revision->id] { there.retire(id); });
  set_failure(revision, {});
}

void Homes::publish(const std::shared_ptr<const RouteTable>& routes) {
  each([routes](Revisions& shard) { shard.set_routes(routes); });
}

void Homes::set_failure(const RevisionPtr& revision, const std::string& why) {
  each([id = revision->id, why](Revisions& shard) { shard.set_failure(id, why); });
}

void Homes::apply(const RevisionPtr& revision, const wire::Endpoints& endpoints) {
  Revisions& there = home(*revision);
  asio::post(there.executor(),
             [&there, id = revision->id, endpoints] { there.apply(id, endpoints); });
}

void Homes::apply_slices(const RevisionPtr& revision, const std::vector<SliceReplica>& slices) {
  Revisions& there = home(*revision);
  asio::post(there.executor(),
             [&there, id = revision->id, slices] { there.apply_slices(id, slices); });
}

void Homes::set_connected(bool connected) {
  each([connected](Revisions& shard) { shard.set_connected(connected); });
}

void Homes::poke_again() {
  each([](Revisions& shard) { shard.poke_again(); });
}

void Homes::drain(const RevisionPtr& revision, const ReplicaSet::Drained& replica) {
  Revisions& there = home(*revision);
  asio::post(there.executor(), [&there, revision, replica] { there.drain(revision, replica); });
}

Task<std::vector<RevisionReport>> Homes::collect() {
  const auto all = std::make_shared<Collection>(clock_);
  all->missing = shards_.size();
  each([all, control = control_](Revisions& shard) {
    asio::post(control, [all, reports = shard.report()]() mutable {
      std::move(reports.begin(), reports.end(), std::back_inserter(all->reports));
      if (--all->missing == 0) all->complete.set();
    });
  });
  co_await all->complete.wait(clock_.now() + std::chrono::seconds(1));
  co_return std::move(all->reports);
}

}  // namespace pilotlight::activator
