#include "common/async/shard.h"

#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace pilotlight {
namespace {

/// Runs `what` on the shard and waits for its result.
template <class F>
auto on(Shard& shard, F what) {
  auto promise = std::make_shared<std::promise<decltype(what())>>();
  auto result = promise->get_future();
  shard.post([promise, what] { promise->set_value(what()); });
  return result.get();
}

TEST(Shard, PostedWorkRunsOnTheShardsOwnThreadInOrder) {
  Shard shard(3);
  shard.start();
  const auto caller = std::this_thread::get_id();
  auto order = std::make_shared<std::vector<int>>();  // touched on the shard only
  for (int i = 0; i < 1000; ++i) {
    shard.post([order, i] { order->push_back(i); });
  }
  const auto thread = on(shard, [] { return std::this_thread::get_id(); });
  const auto seen = on(shard, [order] { return *order; });
  shard.stop();
  shard.join();

  EXPECT_NE(thread, caller);
  ASSERT_EQ(seen.size(), 1000U);
  for (std::size_t i = 0; i < seen.size(); ++i) ASSERT_EQ(seen[i], static_cast<int>(i));
}

TEST(Shard, ManyThreadsMayPostAtOnce) {
  Shard shard(0);
  shard.start();
  auto count = std::make_shared<int>(0);  // plain: the shard is the lock
  {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&shard, count] {
        for (int i = 0; i < 500; ++i) shard.post([count] { ++*count; });
      });
    }
    for (auto& thread : threads) thread.join();
  }
  EXPECT_EQ(on(shard, [count] { return *count; }), 2000);
  shard.stop();
  shard.join();
}

Task<> count_messages(Shard& peer, int rounds, std::shared_ptr<std::atomic<int>> received) {
  for (int i = 0; i < rounds; ++i) {
    peer.post([received] { received->fetch_add(1, std::memory_order_relaxed); });
    co_await asio::post(use_tuple);
  }
}

TEST(Shard, TasksOfTwoShardsTalkByPosting) {
  Shard left(0);
  Shard right(1);
  left.start();
  right.start();
  auto received = std::make_shared<std::atomic<int>>(0);
  left.post([&] { left.scope().spawn(count_messages(right, 300, received)); });
  right.post([&] { right.scope().spawn(count_messages(left, 300, received)); });
  for (Shard* shard : {&left, &right}) {
    while (on(*shard, [shard] { return shard->scope().size(); }) != 0) {
    }
  }
  // Each shard's mailbox is empty once what was posted after the last message has run.
  on(left, [] { return 0; });
  on(right, [] { return 0; });
  EXPECT_EQ(received->load(), 600);
  for (Shard* shard : {&left, &right}) {
    shard->stop();
    shard->join();
  }
}

Task<> park_for_ever(Clock& clock) {
  const auto timer = clock.make_timer();
  co_await timer->wait_until(TimePoint::max());
}

Task<> park_again_and_again(Clock& clock) {
  for (;;) {
    const auto timer = clock.make_timer();
    co_await timer->wait_until(TimePoint::max());
  }
}

TEST(Shard, CancellingItsScopeEndsTasksThatWouldAwaitAgain) {
  Shard shard(0);
  shard.start();
  shard.post([&shard] { shard.scope().spawn(park_again_and_again(shard.clock())); });
  EXPECT_EQ(on(shard, [&shard] { return shard.scope().size(); }), 1U);
  shard.post([&shard] { shard.scope().cancel(asio::cancellation_type::terminal); });
  while (on(shard, [&shard] { return shard.scope().size(); }) != 0) {
  }
  shard.stop();
  shard.join();
}

TEST(Shard, CancellingItsScopeEndsParkedTasks) {
  Shard shard(0);
  shard.start();
  for (int i = 0; i < 10; ++i) {
    shard.post([&shard] { shard.scope().spawn(park_for_ever(shard.clock())); });
  }
  EXPECT_EQ(on(shard, [&shard] { return shard.scope().size(); }), 10U);
  shard.post([&shard] { shard.scope().cancel(asio::cancellation_type::terminal); });
  while (on(shard, [&shard] { return shard.scope().size(); }) != 0) {
  }
  shard.stop();
  shard.join();
}

}  // namespace
}  // namespace pilotlight
