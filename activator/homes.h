#pragma once

#include <memory>
#include <string>
#include <vector>

#include "activator/revisions.h"
#include "common/async/event.h"

namespace pilotlight::activator {

/// The control shard's hand on the data shards: every call is posted to where it belongs, in order.
/// Lives on the control shard; the Revisions outlive it.
class Homes {
 public:
  Homes(Executor control, Clock& clock, std::vector<Revisions*> shards);

  [[nodiscard]] std::size_t shards() const noexcept { return shards_.size(); }

  /// Makes a revision, or changes its facts, on its home shard. Before routes that name it.
  void install(const RevisionPtr& revision);
  /// After routes that no longer name it.
  void retire(const RevisionPtr& revision);
  void publish(const std::shared_ptr<const RouteTable>& routes);
  void set_failure(const RevisionPtr& revision, const std::string& why);
  void apply(const RevisionPtr& revision, const wire::Endpoints& endpoints);
  void apply_slices(const RevisionPtr& revision, const std::vector<SliceReplica>& slices);
  void set_connected(bool connected);
  void poke_again();
  void drain(const RevisionPtr& revision, const ReplicaSet::Drained& replica);

  /// How all revisions are now; what a shard does not say within a second is missing.
  [[nodiscard]] Task<std::vector<RevisionReport>> collect();

 private:
  struct Collection;

  [[nodiscard]] Revisions& home(const RevisionInfo& revision) const {
    return *shards_.at(revision.home);
  }
  template <class What>
  void each(What what);

  Executor control_;
  Clock& clock_;
  std::vector<Revisions*> shards_;
};

}  // namespace pilotlight::activator
