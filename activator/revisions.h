#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "activator/home.h"
#include "activator/route_table.h"
#include "common/async/interruption.h"
#include "common/base/error.h"

namespace pilotlight::activator {

/// How one revision is right now, for STATS, /status and /metrics.
struct RevisionReport {
  struct ReplicaLine {
    ReplicaPlacePtr place;
    std::uint32_t capacity = 0;
    std::uint32_t in_flight = 0;
    std::string_view state;
  };
  RevisionPtr revision;
  std::size_t parked = 0;
  std::size_t parked_bytes = 0;
  Duration oldest_wait{};
  std::uint32_t in_flight = 0;  ///< Placed at a replica.
  LoadSnapshot load;
  std::vector<ReplicaLine> replicas;
};

/// The revisions as one shard sees them: the Dispatchers of those it is home to, and what it needs
/// to route every request: the route table and why replicas of a revision failed last.
///
/// A request is routed where its connection is and placed where its revision is at home; only a few
/// words travel between the two, bytes never do (see Visit). All calls on this shard; others post
/// to executor().
class Revisions {
 public:
  Revisions(std::size_t index, Executor executor, const HomeParts& parts);
  Revisions(const Revisions&) = delete;
  Revisions& operator=(const Revisions&) = delete;

  /// All shards by index, this one included. Call once, before any request.
  void meet(std::vector<Revisions*> all) { all_ = std::move(all); }

  void set_routes(std::shared_ptr<const RouteTable> routes) { routes_ = std::move(routes); }
  [[nodiscard]] const std::shared_ptr<const RouteTable>& routes() const noexcept { return routes_; }
  /// Why replicas of a revision do not come up; empty forgets it.
  void set_failure(std::uint32_t revision, std::string why);
  [[nodiscard]] std::string failure(std::uint32_t revision) const;

  /// Home shard only, from here on. A revision that is installed already gets the new facts.
  void install(RevisionPtr revision);
  /// What waits is refused; the Dispatcher goes with its last guest.
  void retire(std::uint32_t revision);
  void apply(std::uint32_t revision, const wire::Endpoints& endpoints);
  void apply_slices(std::uint32_t revision, std::vector<SliceReplica> slices);
  void set_connected(bool connected);
  void poke_again();
  /// DRAIN. A revision that is gone has nothing in flight: drained at once.
  void drain(const RevisionPtr& revision, const ReplicaSet::Drained& replica);
  [[nodiscard]] std::vector<RevisionReport> report() const;

  [[nodiscard]] Executor executor() const noexcept { return executor_; }
  [[nodiscard]] Clock& clock() const noexcept { return parts_.clock; }
  [[nodiscard]] std::size_t index() const noexcept { return index_; }

 private:
  friend class Visit;

  [[nodiscard]] Home* find(std::uint32_t revision) noexcept;
  /// After every call to a Dispatcher: arms its back-off, or forgets it if it is over.
  void settle(Home& home);

  std::size_t index_;
  Executor executor_;
  HomeParts parts_;
  std::vector<Revisions*> all_;
  std::shared_ptr<const RouteTable> routes_ = std::make_shared<RouteTable>();
  std::unordered_map<std::uint32_t, std::string> failures_;
  std::unordered_map<std::uint32_t, std::unique_ptr<Home>> homes_;
  bool connected_ = false;
};

/// One request's stay in its revision, from its arrival to its end, seen from its connection's
/// shard: demand while it exists, and at most one place at a replica at a time.
///
/// When the revision is at home elsewhere, asks and answers are posted. A visit that ends before
/// the answer comes gives its place back all the same: the home shard knows what it granted. Lives
/// in the frame of the connection's coroutine; the home shard's loop must run until all have ended.
class Visit {
 public:
  Visit(Revisions& here, RevisionPtr revision);
  ~Visit();
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

  /// Waits for a place at a replica, until `interruption` is raised. `bytes`: the memory that the
  /// request takes meanwhile.
  /// @return where to go; or queue_full (refusal() says which bound), not_found (the revision was
  /// deleted), downstream_gone, deadline_exceeded, draining.
  [[nodiscard]] Task<Result<Placement>> place(std::size_t bytes, Interruption& interruption);
  [[nodiscard]] Refusal refusal() const noexcept { return refusal_; }
  /// Of a refusal for want of room: seconds until there may be some.
  [[nodiscard]] std::uint32_t retry_after() const noexcept { return retry_after_; }

  /// The replica did not take it. The next place() comes before all that arrived later.
  void not_taken(Finding finding) noexcept { finding_ = finding; }

  /// The first byte of the answer has come.
  void answered(const Placement& placement);

  /// Ends the stay: its place is free at once. The destructor does it, too, if nobody else did.
  void leave(const Ending& ending);

 private:
  struct Remote;

  void ask(std::size_t bytes);
  void settle(const Placement& placement, Refusal refusal, std::uint32_t retry_after = 1);

  Revisions& here_;
  Revisions& home_;
  RevisionPtr revision_;
  std::unique_ptr<Timer> timer_;  // made for the first wait
  Placement placement_;
  Refusal refusal_ = Refusal::none;
  std::uint32_t retry_after_ = 1;
  Finding finding_ = Finding::none;
  bool settled_ = false;
  std::shared_ptr<Remote> remote_;
  // Embedded, so that a request whose revision is at home here allocates nothing.
  class LocalGuest final : public Dispatcher::Guest {
   public:
    explicit LocalGuest(Visit& visit) noexcept : visit_(visit) {}

   private:
    void settled() noexcept override { visit_.settle(placement(), refusal(), retry_after()); }
    Visit& visit_;
  };
  LocalGuest local_{*this};
  Home* local_home_ = nullptr;
};

}  // namespace pilotlight::activator
