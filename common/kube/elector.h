#pragma once

#include <memory>
#include <optional>
#include <random>
#include <string>

#include "common/kube/election.h"
#include "common/kube/watcher.h"

namespace pilotlight::kube {

/// Takes part in an election: watches one Lease and writes it when Election says so. A follower
/// asks the API for nothing but its watch; the leader renews every 1.25 s.
///
///     scope.spawn(elector.run());   // ends after close()
///
/// One shard; must outlive run().
class Elector final : Watcher::Listener {
 public:
  /// Called on the Elector's shard; must not destroy it.
  class Listener {
   public:
    virtual ~Listener() = default;
    /// From here on, until deposed(), nobody else leads.
    virtual void elected() = 0;
    /// Not any more. Somebody else may lead soon.
    virtual void deposed() = 0;
    /// Who leads has changed; "" when nobody does.
    virtual void leader_changed(const std::string& holder) = 0;
  };

  struct What {
    std::string space;
    std::string name;
    Election::Params params;
  };

  Elector(Client& client, Clock& clock, What what, Listener& listener, std::mt19937_64& random);

  [[nodiscard]] Task<> run();
  /// The watch of the Lease; to be spawned beside run().
  [[nodiscard]] Task<> watch() { return watcher_.run(); }

  /// Ends run() and watch() soon. Call release() first where there is time for it.
  void close() noexcept;

  /// Ends run() and gives the lease back if it is ours, so that the next leader need not wait for
  /// it to run out.
  [[nodiscard]] Task<> release(TimePoint deadline);

  [[nodiscard]] bool leading() const noexcept { return leading_; }
  /// Until when nobody else can lead: now, once it does not lead itself.
  [[nodiscard]] TimePoint may_write_until() const noexcept {
    const TimePoint now = clock_.now();
    return election_.leading(now) ? election_.leads_until(now) : now;
  }
  /// While it leads: when the one before was last seen to lead.
  [[nodiscard]] std::optional<TimePoint> vacant_since() const noexcept {
    return election_.vacant_since();
  }
  [[nodiscard]] const std::string& holder() const noexcept { return election_.holder(); }

 private:
  void applied(const Json& object) override;
  void removed(const Json& object) override;
  void synced() override;

  void seen(std::optional<LeaseRecord> lease);
  void tell();
  [[nodiscard]] Task<> write(Election::Step step);
  [[nodiscard]] Json object(Json spec) const;

  Client& client_;
  Clock& clock_;
  What what_;
  Elector::Listener& listener_;
  Election election_;
  Watcher watcher_;
  std::unique_ptr<Timer> timer_;
  std::string told_holder_;
  bool exists_ = false;
  bool leading_ = false;
  bool writing_ = false;
  bool closed_ = false;
};

}  // namespace pilotlight::kube
