#pragma once

#include "activator/dispatcher.h"
#include "activator/revision_info.h"
#include "common/async/deadline_queue.h"
#include "common/base/task.h"

namespace pilotlight::activator {

/// What happens in revisions, told on the control shard.
class RevisionListener {
 public:
  virtual ~RevisionListener() = default;
  virtual void poke(const RevisionInfo& revision, std::uint32_t parked, Duration oldest_wait) = 0;
  virtual void drained(const RevisionInfo& revision, const ReplicaSet::Drained& replica) = 0;
  virtual void parked(const RevisionInfo& revision, TimePoint parked_at) = 0;
  virtual void served(const RevisionInfo& revision, const WakeStory& story,
                      TimePoint first_byte_at) = 0;
  virtual void unserved(const RevisionInfo& revision, TimePoint parked_at, RefusalCause cause) = 0;
};

/// What the homes of one shard share. All outlive them.
struct HomeParts {
  Clock& clock;
  DeadlineQueue& deadlines;
  ParkBudget& budget;
  Executor control;  ///< Where `listener` lives.
  RevisionListener& listener;
};

/// A revision on its home shard: its Dispatcher, the clock of the Dispatcher's back-offs, and the
/// way of its news to the control shard.
class Home final : DispatcherOutlet {
 public:
  Home(const HomeParts& parts, RevisionPtr revision);

  [[nodiscard]] Dispatcher& dispatcher() noexcept { return dispatcher_; }
  [[nodiscard]] const Dispatcher& dispatcher() const noexcept { return dispatcher_; }
  [[nodiscard]] const RevisionPtr& revision() const noexcept { return revision_; }

  void change(RevisionPtr revision);
  /// Deleted: what waits is refused, what runs goes on.
  void retire();
  /// Deleted, and the last guest has left.
  [[nodiscard]] bool over() const noexcept { return retired_ && dispatcher_.empty(); }
  /// Sets the clock to when the Dispatcher wants to be woken next.
  void arm();

 private:
  static void on_back_off(void* self);
  template <class Tell>
  void tell(Tell what);

  void poke(std::uint32_t parked, Duration oldest_wait) override;
  void drained(const ReplicaSet::Drained& replica) override;
  void parked(TimePoint at) override;
  void served(const WakeStory& story, TimePoint first_byte_at) override;
  void unserved(TimePoint parked_at, RefusalCause cause) override;

  HomeParts parts_;
  RevisionPtr revision_;
  Dispatcher dispatcher_;
  Deadline back_off_;
  bool retired_ = false;
};

}  // namespace pilotlight::activator
