#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <boost/intrusive/list.hpp>

#include "activator/park_budget.h"
#include "activator/replica_set.h"
#include "common/stats/concurrency_meter.h"

namespace pilotlight::activator {

/// Where a request may go.
struct Placement {
  ReplicaPlacePtr replica;
  bool tell_answer = false;  ///< The story of a wake is waiting for its first answer.
};

/// How a request's stay in its revision ended.
struct Ending {
  bool completed = false;             ///< The app's answer went through.
  Duration service_time{};            ///< Of a completed one: from its placement on.
  std::optional<RefusalCause> cause;  ///< Why there was none.
  Finding finding = Finding::none;    ///< What it says of the replica that had it.
};

/// One wake from its first parked request to its first answer, for the event log.
struct WakeStory {
  TimePoint parked_at{};
  TimePoint endpoints_at{};
  TimePoint dispatched_at{};
};

/// What a Dispatcher tells the rest of the program. Called from within its calls, so it must not
/// call back into it: it posts.
class DispatcherOutlet {
 public:
  virtual ~DispatcherOutlet() = default;
  /// Requests wait and no replica is there to take them: begins a wake.
  virtual void poke(std::uint32_t parked, Duration oldest_wait) = 0;
  /// Nothing of ours is in flight at a replica that DRAIN closed, and nothing will be.
  virtual void drained(const ReplicaSet::Drained& replica) = 0;
  virtual void parked(TimePoint parked_at) = 0;
  virtual void served(const WakeStory& story, TimePoint first_byte_at) = 0;
  virtual void unserved(TimePoint parked_at, RefusalCause cause) = 0;
};

/// Decides which request of one revision goes to which replica, and in what order the others wait.
///
/// Strictly first come, first served: a request is placed only when none that came earlier waits,
/// and one that comes back unserved (a bounce, a connection that never was) goes to where its
/// arrival puts it, which is the front. A replica never gets more requests from here than its
/// capacity. What waits is bounded in count and bytes, for the revision and for the process; how
/// long is the requests' own affair: they leave() at their deadline.
///
/// Pure: no sockets, no timers; `now` is passed in and must not go back. Whoever owns it calls
/// wake() at next_wake(). It lives on the revision's home shard and outlives its guests.
class Dispatcher {
 public:
  using Hook = boost::intrusive::list_base_hook<>;

  /// One request's stay, from its arrival to its end. Lives with whoever makes the calls; must have
  /// left before it is destroyed.
  class Guest : public Hook {
   public:
    [[nodiscard]] const Placement& placement() const noexcept { return placement_; }
    [[nodiscard]] Refusal refusal() const noexcept { return refusal_; }
    /// Seconds until there may be room again; of a refusal by ask().
    [[nodiscard]] std::uint32_t retry_after() const noexcept { return retry_after_; }

   protected:
    Guest() = default;
    ~Guest();
    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;

    /// It was parked and now has a placement(), or a refusal(). Called from within a call to the
    /// Dispatcher: must not call back.
    virtual void settled() noexcept = 0;

   private:
    friend class Dispatcher;
    enum class State : std::uint8_t { away, present, parked, placed };

    State state_ = State::away;
    Refusal refusal_ = Refusal::none;
    std::uint32_t retry_after_ = 1;
    std::uint64_t turn_ = 0;  // order of arrival
    TimePoint parked_at_{};
    std::size_t bytes_ = 0;  // while parked
    Replica* replica_ = nullptr;
    Placement placement_;
  };

  enum class Asked : std::uint8_t { placed, parked, refused };

  Dispatcher(TimePoint now, std::uint32_t capacity, ParkBudget& budget, DispatcherOutlet& outlet);
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// A request is there: demand, from now until leave().
  void arrive(Guest& guest, TimePoint now);
  /// Asks for a replica. `bytes`: the memory it takes while it waits. Parked ones hear settled().
  Asked ask(Guest& guest, std::size_t bytes, TimePoint now);
  /// The replica did not take it: asks again, before all that came later, and whatever the bounds,
  /// since it was let in already.
  Asked retry(Guest& guest, Finding finding, std::size_t bytes, TimePoint now);
  /// The first byte of an answer has come for a guest whose placement asked to be told.
  void answered(TimePoint now);
  /// Ends the stay, whether it waits, runs, or was never placed. Frees its place at once.
  void leave(Guest& guest, const Ending& ending, TimePoint now);

  void apply(const wire::Endpoints& endpoints, TimePoint now);
  void apply_slices(std::vector<SliceReplica> slices, TimePoint now);
  void set_connected(bool connected, TimePoint now);
  void set_capacity(std::uint32_t capacity) { replicas_.set_default_capacity(capacity); }
  /// DRAIN. What is unknown here counts as drained at once.
  void drain(const std::string& replica, std::uint64_t epoch, TimePoint now);
  /// The revision was deleted: what waits is refused, newcomers too. What runs goes on.
  void retire(TimePoint now);

  /// Says POKE again, after a reconnect, if requests still wait with nobody to take them.
  void poke_again(TimePoint now);

  /// A back-off has ended.
  void wake(TimePoint now) { dispatch(now); }
  /// When wake() has something to do; max() if nothing waits for the time to pass.
  [[nodiscard]] TimePoint next_wake(TimePoint now) const noexcept;

  [[nodiscard]] std::size_t parked() const noexcept { return parked_count_; }
  [[nodiscard]] std::size_t parked_bytes() const noexcept { return parked_bytes_; }
  [[nodiscard]] Duration oldest_wait(TimePoint now) const noexcept;
  [[nodiscard]] std::uint32_t placed() const noexcept { return placed_; }
  [[nodiscard]] bool empty() const noexcept { return guests_ == 0; }
  [[nodiscard]] const ReplicaSet& replicas() const noexcept { return replicas_; }
  [[nodiscard]] LoadSnapshot load(TimePoint now) const noexcept { return meter_.snapshot(now); }

 private:
  using Queue = boost::intrusive::list<Guest, boost::intrusive::constant_time_size<false>>;

  void place(Guest& guest, Replica& replica, TimePoint now);
  [[nodiscard]] bool place_now(Guest& guest, TimePoint now);
  [[nodiscard]] Refusal take_room(std::size_t bytes);
  void park(Guest& guest, std::size_t bytes, TimePoint now);
  void unpark(Guest& guest);
  void free_replica(Guest& guest, Finding finding, TimePoint now);
  void dispatch(TimePoint now);
  void news(TimePoint now);
  void watch_need(TimePoint now);
  void tell_drained();

  ReplicaSet replicas_;
  ParkBudget& budget_;
  DispatcherOutlet& outlet_;
  ConcurrencyMeter meter_;
  Queue queue_;  // by turn; the front came first
  std::size_t parked_count_ = 0;
  std::size_t parked_bytes_ = 0;
  std::size_t guests_ = 0;
  std::uint32_t placed_ = 0;
  std::uint64_t next_turn_ = 1;
  bool retired_ = false;
  bool needy_ = false;             // requests wait and no replica is usable: POKE was said
  bool unserved_told_ = false;     // of the present wake
  std::optional<WakeStory> wake_;  // open until its first answer
};

}  // namespace pilotlight::activator
