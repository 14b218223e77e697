// Visits whose revision is at home on another thread. Run under TSan as well.
#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include <gtest/gtest.h>

#include "activator/homes.h"
#include "common/async/shard.h"

namespace pilotlight::activator {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kShards = 3;
constexpr std::uint32_t kCapacity = 4;

/// A data shard without sockets: only its revisions and what they need.
struct Side {
  Side(std::size_t index, ParkBudget& budget, Executor control, RevisionListener& listener)
      : shard(index),
        revisions(index, shard.executor(),
                  HomeParts{shard.clock(), deadlines, budget, control, listener}) {}
  Shard shard;
  DeadlineQueue deadlines;
  DeadlineRunner runner{deadlines, shard.clock()};
  Revisions revisions;
};

/// What the control shard is told. Its own object, whole until the threads have ended: a fixture
/// that listened itself would already be half destroyed when a late word reaches it.
struct Told final : RevisionListener {
  void poke(const RevisionInfo&, std::uint32_t, Duration) override { ++pokes; }
  void drained(const RevisionInfo&, const ReplicaSet::Drained&) override { ++drains; }
  void parked(const RevisionInfo&, TimePoint) override {}
  void served(const RevisionInfo&, const WakeStory&, TimePoint) override { ++stories; }
  void unserved(const RevisionInfo&, TimePoint, RefusalCause) override {}

  std::atomic<int> pokes{0};
  std::atomic<int> drains{0};
  std::atomic<int> stories{0};
};

/// Real threads: nothing here depends on how long anything takes, only on what comes before what.
class ShardsTest : public ::testing::Test {
 protected:
  ShardsTest() {
    std::vector<Revisions*> all;
    for (std::size_t i = 0; i < kShards; ++i) {
      sides_.push_back(std::make_unique<Side>(i, budget_, control_.executor(), told_));
      all.push_back(&sides_.back()->revisions);
    }
    for (Revisions* revisions : all) revisions->meet(all);
    homes_ = std::make_unique<Homes>(control_.executor(), control_.clock(), all);
    for (const auto& side : sides_) {
      side->shard.scope().spawn(side->runner.run());
      side->shard.start();
    }
    control_.start();
    auto info = std::make_shared<RevisionInfo>();
    info->id = 1;
    info->home = 0;
    info->name_space = "default";
    info->name = "iris-00001";
    info->service = "iris";
    revision_ = std::move(info);
    homes_->install(revision_);
  }
  ~ShardsTest() override {
    EXPECT_EQ(placed(), 0u);
    EXPECT_EQ(budget_.requests(), 0u);
    for (const auto& side : sides_) {
      side->shard.post([there = side.get()] {
        there->runner.stop();
        there->shard.scope().cancel(asio::cancellation_type::terminal);
        there->shard.finish();
      });
    }
    for (const auto& side : sides_) side->shard.join();
    control_.post([this] { control_.finish(); });
    control_.join();
  }

  void endpoints(int replicas) {
    wire::Endpoints frame;
    frame.server_epoch = 1;
    frame.generation = ++generation_;
    frame.complete = true;
    for (int i = 1; i <= replicas; ++i) {
      wire::Replica replica;
      replica.name = std::to_string(i);
      replica.address = "127.0.0." + replica.name + ":8012";
      replica.epoch = 1;
      replica.capacity = kCapacity;
      frame.replicas.push_back(replica);
    }
    homes_->apply(revision_, frame);
  }

  /// One request: waits for a place, holds it for a few turns of its shard's loop, and leaves.
  Task<> request(std::size_t index, int turns) {
    Side& side = *sides_[index];
    {
      Interruption interruption;
      Visit visit(side.revisions, revision_);
      const auto placement = co_await visit.place(100, interruption);
      if (placement) {
        const int now = ++running_;
        int most = most_.load();
        while (most < now && !most_.compare_exchange_weak(most, now)) {
        }
        visit.answered(*placement);
        const auto timer = side.shard.clock().make_timer();
        for (int i = 0; i < turns; ++i) co_await timer->wait_until(side.shard.clock().now() + 50us);
        --running_;
        Ending ending;
        ending.completed = true;
        visit.leave(ending);
      }
    }
    ++ended_;
  }

  /// One request whose client leaves at once, or soon, whatever has been posted for it by then.
  Task<> fickle(std::size_t index, int turns) {
    Side& side = *sides_[index];
    {
      Interruption interruption;
      Visit visit(side.revisions, revision_);
      Deadline leave(
          side.deadlines, [](void* what) { static_cast<Interruption*>(what)->raise(Cause::left); },
          &interruption);
      leave.set(side.shard.clock().now() + turns * 30us);
      const auto placement = co_await visit.place(100, interruption);
      if (placement) visit.not_taken(Finding::full);
    }
    ++ended_;
  }

  void start(std::size_t index, int turns, bool leaves) {
    sides_[index]->shard.post([this, index, turns, leaves] {
      sides_[index]->shard.scope().spawn(leaves ? fickle(index, turns) : request(index, turns));
    });
  }

  /// A real clock, because real threads; bounded.
  template <class Done>
  [[nodiscard]] bool until(Done done) {
    const TimePoint latest = control_.clock().now() + 20s;
    while (!done()) {
      if (control_.clock().now() > latest) return false;
      std::this_thread::yield();
    }
    return true;
  }

  /// Asked of the home shard, behind all that was posted there before.
  template <class Ask>
  auto at_home(Ask ask) {
    std::promise<decltype(ask(sides_[0]->revisions))> answer;
    auto future = answer.get_future();
    sides_[0]->shard.post([&] { answer.set_value(ask(sides_[0]->revisions)); });
    return future.get();
  }
  std::uint32_t placed() {
    return at_home([](Revisions& revisions) {
      const auto reports = revisions.report();
      return reports.empty() ? 0u : reports[0].in_flight + reports[0].load.in_flight;
    });
  }
  std::size_t waiting() {
    return at_home([](Revisions& revisions) { return revisions.report().at(0).parked; });
  }

  ParkBudget budget_{ParkLimits()};
  Told told_;
  Shard control_{9};
  std::vector<std::unique_ptr<Side>> sides_;
  std::unique_ptr<Homes> homes_;
  RevisionPtr revision_;
  std::uint64_t generation_ = 0;
  std::atomic<int> running_{0};
  std::atomic<int> most_{0};
  std::atomic<int> ended_{0};
};

TEST_F(ShardsTest, ManyShardsNeverHoldMoreThanAReplicasCapacity) {
  constexpr int kRequests = 300;
  for (int i = 0; i < kRequests; ++i) start(static_cast<std::size_t>(i) % kShards, i % 4, false);
  ASSERT_TRUE(until([&] { return waiting() == kRequests; }));
  endpoints(2);
  ASSERT_TRUE(until([&] { return ended_ == kRequests; }));
  EXPECT_LE(most_, static_cast<int>(2 * kCapacity));
  EXPECT_GE(most_, 1);
  ASSERT_TRUE(until([&] { return told_.pokes == 1 && told_.stories == 1; }))
      << "one wake, told once";
}

TEST_F(ShardsTest, WhoLeavesWhileItsPlaceIsOnTheWayGivesItBack) {
  constexpr int kRequests = 300;
  endpoints(1);
  for (int i = 0; i < kRequests; ++i) {
    start(static_cast<std::size_t>(i) % kShards, i % 7, i % 3 != 0);
  }
  ASSERT_TRUE(until([&] { return ended_ == kRequests; }));
  ASSERT_TRUE(until([&] { return placed() == 0; }));
  homes_->drain(revision_, {"1", 1});
  ASSERT_TRUE(until([&] { return told_.drains == 1; })) << "nothing is in flight there";
}

TEST_F(ShardsTest, ADeletedRevisionLetsEveryoneGoOnEveryShard) {
  constexpr int kRequests = 60;
  for (int i = 0; i < kRequests; ++i) start(static_cast<std::size_t>(i) % kShards, 1, false);
  homes_->retire(revision_);
  ASSERT_TRUE(until([&] { return ended_ == kRequests; }));
  ASSERT_TRUE(until(
      [&] { return at_home([](Revisions& revisions) { return revisions.report().empty(); }); }));
}

}  // namespace
}  // namespace pilotlight::activator
