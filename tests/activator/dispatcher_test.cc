#include "activator/dispatcher.h"

#include <deque>

#include <gtest/gtest.h>

namespace pilotlight::activator {
namespace {

using namespace std::chrono_literals;

struct Outlet final : DispatcherOutlet {
  void poke(std::uint32_t parked, Duration oldest) override {
    ++pokes;
    last_parked = parked;
    last_oldest = oldest;
  }
  void drained(const ReplicaSet::Drained& replica) override { drains.push_back(replica.name); }
  void parked(TimePoint) override { ++wakes; }
  void served(const WakeStory& story, TimePoint first_byte_at) override {
    stories.push_back(story);
    first_bytes.push_back(first_byte_at);
  }
  void unserved(TimePoint, RefusalCause cause) override { losses.push_back(cause); }

  int pokes = 0;
  int wakes = 0;
  std::uint32_t last_parked = 0;
  Duration last_oldest{};
  std::vector<std::string> drains;
  std::vector<WakeStory> stories;
  std::vector<TimePoint> first_bytes;
  std::vector<RefusalCause> losses;
};

class Client final : public Dispatcher::Guest {
 public:
  explicit Client(std::vector<int>* order = nullptr, int id = 0) : order_(order), id_(id) {}
  bool told = false;

 private:
  void settled() noexcept override {
    told = true;
    if (order_ != nullptr && refusal() == Refusal::none) order_->push_back(id_);
  }
  std::vector<int>* order_;
  int id_;
};

class DispatcherTest : public ::testing::Test {
 protected:
  using Asked = Dispatcher::Asked;

  Asked come(Client& client, std::size_t bytes = 10) {
    dispatcher_.arrive(client, now_);
    return dispatcher_.ask(client, bytes, now_);
  }
  void finish(Client& client) {
    Ending ending;
    ending.completed = true;
    dispatcher_.leave(client, ending, now_);
  }
  void give_up(Client& client, RefusalCause cause) {
    Ending ending;
    ending.cause = cause;
    dispatcher_.leave(client, ending, now_);
  }
  void replicas(int count, std::uint32_t capacity = 1) {
    wire::Endpoints frame;
    frame.server_epoch = 5;
    frame.generation = ++generation_;
    frame.complete = true;
    for (int i = 1; i <= count; ++i) {
      wire::Replica replica;
      replica.name = std::to_string(i);
      replica.address = "127.0.0." + replica.name + ":8012";
      replica.epoch = 1;
      replica.capacity = capacity;
      frame.replicas.push_back(replica);
    }
    dispatcher_.apply(frame, now_);
  }
  /// A client that was refused or is done with: it must leave as every other.
  void refuse(Client& client) { give_up(client, RefusalCause::queue_full); }

  static ParkLimits limits() {
    ParkLimits limits;
    limits.requests = 3;
    limits.bytes = 100;
    limits.requests_total = 5;
    limits.bytes_total = 150;
    return limits;
  }

  TimePoint now_{1h};
  std::uint64_t generation_ = 0;
  Outlet outlet_;
  ParkBudget budget_{limits()};
  Dispatcher dispatcher_{now_, 0, budget_, outlet_};
};

TEST_F(DispatcherTest, AtZeroARequestWaitsAndPokesOnce) {
  Client first;
  Client second;
  EXPECT_EQ(come(first), Asked::parked);
  EXPECT_EQ(outlet_.pokes, 1);
  EXPECT_EQ(outlet_.last_parked, 1u);
  now_ += 5ms;
  EXPECT_EQ(come(second), Asked::parked);
  EXPECT_EQ(outlet_.pokes, 1) << "only the first of a wake pokes";
  EXPECT_EQ(dispatcher_.oldest_wait(now_), 5ms);
  dispatcher_.poke_again(now_);
  EXPECT_EQ(outlet_.pokes, 2);
  EXPECT_EQ(outlet_.last_parked, 2u);
  EXPECT_EQ(outlet_.last_oldest, 5ms);
  give_up(first, RefusalCause::client_left);
  give_up(second, RefusalCause::client_left);
  dispatcher_.poke_again(now_);
  EXPECT_EQ(outlet_.pokes, 2) << "nobody waits any more";
}

TEST_F(DispatcherTest, WhatWaitsGoesOldestFirstAndNeverBeyondCapacity) {
  std::vector<int> order;
  std::deque<Client> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(&order, i);
    EXPECT_EQ(come(clients.back()), Asked::parked);
  }
  replicas(1, 2);
  EXPECT_EQ(order, (std::vector<int>{0, 1}));
  EXPECT_EQ(dispatcher_.parked(), 1u);
  finish(clients[1]);
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  finish(clients[0]);
  finish(clients[2]);
  EXPECT_TRUE(dispatcher_.empty());
  EXPECT_EQ(budget_.requests(), 0u);
  EXPECT_EQ(budget_.bytes(), 0u);
}

TEST_F(DispatcherTest, OneReplicaOfCapacityOneTakesThemInOrderOfArrival) {
  std::vector<int> order;
  Client first(&order, 0);
  Client second(&order, 1);
  Client third(&order, 2);
  replicas(1);
  EXPECT_EQ(come(first), Asked::placed);
  EXPECT_EQ(come(second), Asked::parked);
  EXPECT_EQ(come(third), Asked::parked);
  finish(first);
  ASSERT_EQ(order, (std::vector<int>{1}));
  // The sidecar had not given its permit back yet: the second comes back, and stays second.
  EXPECT_EQ(dispatcher_.retry(second, Finding::full, 10, now_), Asked::parked);
  EXPECT_EQ(dispatcher_.next_wake(now_), now_ + 1ms);
  now_ += 1ms;
  dispatcher_.wake(now_);
  EXPECT_EQ(order, (std::vector<int>{1, 1}));
  finish(second);
  EXPECT_EQ(order, (std::vector<int>{1, 1, 2}));
  finish(third);
}

TEST_F(DispatcherTest, ANewcomerDoesNotOvertakeThoseWhoWait) {
  replicas(1);
  Client running;
  Client bounced;
  Client newcomer;
  EXPECT_EQ(come(running), Asked::placed);
  EXPECT_EQ(come(bounced), Asked::parked);
  EXPECT_EQ(dispatcher_.retry(running, Finding::full, 10, now_), Asked::parked);
  now_ += 2ms;  // the back-off is over, but nobody has called wake() yet
  EXPECT_EQ(come(newcomer), Asked::parked);
  EXPECT_TRUE(running.told) << "the oldest was placed first";
  EXPECT_FALSE(bounced.told);
  finish(running);
  EXPECT_TRUE(bounced.told);
  finish(bounced);
  finish(newcomer);
}

TEST_F(DispatcherTest, AnotherReplicaTakesWhatOneBounced) {
  replicas(2);
  Client client;
  EXPECT_EQ(come(client), Asked::placed);
  const std::string first = client.placement().replica->name;
  EXPECT_EQ(dispatcher_.retry(client, Finding::draining, 10, now_), Asked::placed);
  EXPECT_NE(client.placement().replica->name, first);
  EXPECT_EQ(outlet_.pokes, 0);
  finish(client);
}

TEST_F(DispatcherTest, TheCountOfARevisionIsBoundedExactly) {
  std::deque<Client> clients(4);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(come(clients[static_cast<std::size_t>(i)]), Asked::parked);
  EXPECT_EQ(come(clients[3]), Asked::refused);
  EXPECT_EQ(clients[3].refusal(), Refusal::requests);
  refuse(clients[3]);
  give_up(clients[1], RefusalCause::client_left);
  Client next;
  EXPECT_EQ(come(next), Asked::parked) << "a client that leaves frees its place at once";
  for (Client* client : {&clients[0], &clients[2], &next}) give_up(*client, RefusalCause::deadline);
}

TEST_F(DispatcherTest, OneThatFindsNoRoomIsToldWhenToComeBack) {
  wire::Endpoints asleep;
  asleep.server_epoch = 5;
  asleep.generation = ++generation_;
  asleep.complete = true;
  asleep.ready_p50_us = 4'000'000;
  asleep.ready_p95_us = 9'000'000;
  dispatcher_.apply(asleep, now_);
  std::deque<Client> clients(4);
  for (int i = 0; i < 3; ++i) come(clients[static_cast<std::size_t>(i)]);
  now_ += 3s;
  EXPECT_EQ(come(clients[3]), Asked::refused);
  EXPECT_EQ(clients[3].retry_after(), 6U) << "9 s are usual, 3 of them are over";
  refuse(clients[3]);
  for (int i = 0; i < 3; ++i) give_up(clients[static_cast<std::size_t>(i)], RefusalCause::deadline);
}

TEST_F(DispatcherTest, TheBytesOfARevisionAreBoundedExactly) {
  Client first;
  Client second;
  Client third;
  EXPECT_EQ(come(first, 60), Asked::parked);
  EXPECT_EQ(come(second, 41), Asked::refused);
  EXPECT_EQ(second.refusal(), Refusal::bytes);
  EXPECT_EQ(come(third, 40), Asked::parked);
  EXPECT_EQ(dispatcher_.parked_bytes(), 100u);
  refuse(second);
  give_up(first, RefusalCause::client_left);
  give_up(third, RefusalCause::client_left);
  EXPECT_EQ(budget_.bytes(), 0u);
}

TEST_F(DispatcherTest, TheTotalOfAllRevisionsIsBounded) {
  Outlet other_outlet;
  Dispatcher other(now_, 0, budget_, other_outlet);
  std::deque<Client> clients(4);
  EXPECT_EQ(come(clients[0], 90), Asked::parked);
  other.arrive(clients[1], now_);
  EXPECT_EQ(other.ask(clients[1], 61, now_), Asked::refused);
  EXPECT_EQ(clients[1].refusal(), Refusal::bytes_total);
  other.leave(clients[1], {}, now_);
  EXPECT_EQ(budget_.requests(), 1u) << "a refused one takes nothing";
  give_up(clients[0], RefusalCause::client_left);
}

TEST_F(DispatcherTest, OneThatWasPlacedComesBackWhateverTheBounds) {
  replicas(1);
  std::deque<Client> clients(4);
  EXPECT_EQ(come(clients[0]), Asked::placed);
  for (std::size_t i = 1; i < 4; ++i) EXPECT_EQ(come(clients[i]), Asked::parked);
  EXPECT_EQ(dispatcher_.retry(clients[0], Finding::refused, 1000, now_), Asked::parked);
  EXPECT_EQ(outlet_.pokes, 1) << "nobody is there any more";
  for (Client& client : clients) give_up(client, RefusalCause::deadline);
  EXPECT_EQ(budget_.requests(), 0u);
  EXPECT_EQ(budget_.bytes(), 0u);
}

TEST_F(DispatcherTest, ZeroBoundsMeanThatNothingWaits) {
  ParkLimits none;
  none.requests = 0;
  ParkBudget budget(none);
  Dispatcher dispatcher(now_, 0, budget, outlet_);
  Client client;
  dispatcher.arrive(client, now_);
  EXPECT_EQ(dispatcher.ask(client, 1, now_), Asked::refused);
  EXPECT_EQ(outlet_.pokes, 0);
  dispatcher.leave(client, {}, now_);
}

TEST_F(DispatcherTest, LosingTheLastReplicaWhileOthersWaitPokes) {
  replicas(1);
  Client running;
  Client waiting;
  EXPECT_EQ(come(running), Asked::placed);
  EXPECT_EQ(come(waiting), Asked::parked);
  EXPECT_EQ(outlet_.pokes, 0) << "a busy replica is there all the same";
  replicas(0);
  EXPECT_EQ(outlet_.pokes, 1);
  finish(running);
  give_up(waiting, RefusalCause::client_left);
}

TEST_F(DispatcherTest, ADrainedReplicaIsToldWhenItsLastRequestEnds) {
  replicas(2);
  Client first;
  Client second;
  EXPECT_EQ(come(first), Asked::placed);
  EXPECT_EQ(come(second), Asked::placed);
  const std::string name = first.placement().replica->name;
  dispatcher_.drain(name, 1, now_);
  EXPECT_TRUE(outlet_.drains.empty());
  finish(second);
  Client third;
  EXPECT_EQ(come(third), Asked::placed);
  EXPECT_NE(third.placement().replica->name, name);
  finish(first);
  EXPECT_EQ(outlet_.drains, (std::vector<std::string>{name}));
  dispatcher_.drain("unknown", 1, now_);
  EXPECT_EQ(outlet_.drains.size(), 2u) << "where nothing of ours can be is drained at once";
  finish(third);
}

TEST_F(DispatcherTest, AWakeIsToldOnceFromItsFirstParkedToItsFirstAnswer) {
  const TimePoint begin = now_;
  Client first;
  Client second;
  (void)come(first);
  (void)come(second);
  EXPECT_EQ(outlet_.wakes, 1);
  now_ += 3s;
  replicas(1);
  EXPECT_TRUE(first.placement().tell_answer);
  now_ += 9ms;
  dispatcher_.answered(now_);
  finish(first);
  EXPECT_FALSE(second.placement().tell_answer) << "the story has been told";
  ASSERT_EQ(outlet_.stories.size(), 1u);
  EXPECT_EQ(outlet_.stories[0].parked_at, begin);
  EXPECT_EQ(outlet_.stories[0].endpoints_at, begin + 3s);
  EXPECT_EQ(outlet_.stories[0].dispatched_at, begin + 3s);
  EXPECT_EQ(outlet_.first_bytes[0], begin + 3009ms);
  finish(second);
  EXPECT_TRUE(outlet_.losses.empty());
}

TEST_F(DispatcherTest, AWakeThatComesTooLateIsToldOnce) {
  Client first;
  Client second;
  Client left;
  (void)come(first);
  (void)come(second);
  (void)come(left);
  give_up(left, RefusalCause::client_left);
  EXPECT_TRUE(outlet_.losses.empty()) << "nobody was there to be served";
  give_up(first, RefusalCause::deadline);
  give_up(second, RefusalCause::deadline);
  EXPECT_EQ(outlet_.losses, (std::vector<RefusalCause>{RefusalCause::deadline}));
  Client next;
  (void)come(next);
  EXPECT_EQ(outlet_.wakes, 2);
  give_up(next, RefusalCause::client_left);
}

TEST_F(DispatcherTest, AReplicaThatDiedWithARequestGetsNoOtherAtOnce) {
  replicas(2, 4);
  Client lost;
  ASSERT_EQ(come(lost), Asked::placed);
  const std::string dying = lost.placement().replica->name;
  Ending ending;
  ending.cause = RefusalCause::upstream_failed;
  ending.finding = Finding::refused;
  dispatcher_.leave(lost, ending, now_);
  std::deque<Client> next(4);
  for (Client& client : next) {
    ASSERT_EQ(come(client), Asked::placed);
    EXPECT_NE(client.placement().replica->name, dying);
  }
  for (Client& client : next) finish(client);
}

TEST_F(DispatcherTest, ADeletedRevisionRefusesWhoWaitsAndWhoComes) {
  Client waiting;
  Client late;
  (void)come(waiting);
  dispatcher_.retire(now_);
  EXPECT_TRUE(waiting.told);
  EXPECT_EQ(waiting.refusal(), Refusal::gone);
  EXPECT_EQ(come(late), Asked::refused);
  EXPECT_EQ(late.refusal(), Refusal::gone);
  refuse(waiting);
  refuse(late);
}

TEST_F(DispatcherTest, WaitingAndRunningAreDemandUntilTheyLeave) {
  Client waiting;
  Client running;
  (void)come(running);
  replicas(1);
  (void)come(waiting);
  now_ += 10ms;
  give_up(waiting, RefusalCause::client_left);
  now_ += 10ms;
  finish(running);
  now_ += 10ms;
  const LoadSnapshot load = dispatcher_.load(now_);
  EXPECT_EQ(load.arrivals, 2u);
  EXPECT_EQ(load.completions, 1u);
  EXPECT_EQ(load.concurrency_us, 10'000u * 2 + 10'000u);
  EXPECT_EQ(load.in_flight, 0u);
  EXPECT_EQ(load.refusals[static_cast<std::size_t>(RefusalCause::client_left)], 1u);
}

}  // namespace
}  // namespace pilotlight::activator
