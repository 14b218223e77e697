#include "common/net/listener.h"

#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include "tests/support/loopback.h"

namespace pilotlight {
namespace {

constexpr std::size_t kClients = 200;

Task<> count_turns(Executor executor, const bool& done, std::size_t& turns) {
  while (!done) {
    ++turns;
    co_await asio::post(executor, asio::use_awaitable_t<Executor>());
  }
}

TEST(Listener, ABurstDoesNotWaitForATurnOfEverybodyElseEach) {
  test::LoopbackShard shard;
  const std::size_t others = shard.scope.size();
  std::size_t accepted = 0;
  bool done = false;
  Listener listener(shard.loop.get_executor(), shard.clock, [&](TcpStream) {
    ++accepted;
    done = accepted == kClients;
  });
  ASSERT_TRUE(listener.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0), false));
  asio::io_context outside;
  std::vector<tcp::socket> clients;
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.emplace_back(outside).connect(listener.local());
  }
  std::size_t turns = 0;
  shard.scope.spawn(listener.run());
  shard.scope.spawn(count_turns(shard.loop.get_executor(), done, turns));
  ASSERT_TRUE(shard.run_until([&] { return done; }));
  EXPECT_LE(turns, kClients / 10);
  listener.close();
  ASSERT_TRUE(shard.run_until([&] { return shard.scope.size() == others; }));
}

TEST(Listener, OneThatComesLaterIsAcceptedToo) {
  test::LoopbackShard shard;
  const std::size_t others = shard.scope.size();
  std::size_t accepted = 0;
  Listener listener(shard.loop.get_executor(), shard.clock, [&](TcpStream) { ++accepted; });
  ASSERT_TRUE(listener.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0), false));
  shard.scope.spawn(listener.run());
  asio::io_context outside;
  std::vector<tcp::socket> clients;
  for (std::size_t i = 1; i <= 3; ++i) {
    clients.emplace_back(outside).connect(listener.local());
    ASSERT_TRUE(shard.run_until([&] { return accepted == i; }));
  }
  listener.close();
  ASSERT_TRUE(shard.run_until([&] { return shard.scope.size() == others; }));
}

}  // namespace
}  // namespace pilotlight
