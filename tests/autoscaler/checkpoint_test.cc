#include "autoscaler/checkpoint.h"

#include <gtest/gtest.h>

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

const wire::RevisionKey kKey{"default", "iris-00001"};
const TimePoint kNow{5000s + 1300ms};

DeciderState full() {
  DeciderState state;
  state.panic_since = kNow - 4s;
  state.max_panic = 9;
  state.delayed = {{delay_slot(kNow) - 3, 9}, {delay_slot(kNow), 4}};
  state.initial_reached = true;
  state.initial_ready_since = kNow - 90s;
  state.active_since = kNow - 91s;
  state.idle_since = kNow;
  state.proxied_since = kNow - 500s;
  return state;
}

TEST(Checkpoint, ComesBackAsItWasOnTheSameMachine) {
  wire::Checkpoint checkpoint = make_checkpoint(kKey, 7, full(), kNow);
  EXPECT_EQ(checkpoint.revision, kKey);
  EXPECT_EQ(checkpoint.server_epoch, 7U);
  checkpoint.held_us = 3'000'000;
  const TimePoint taken = taken_at(checkpoint, kNow + 3s + 40ms);  // 40 ms on its ways
  EXPECT_EQ(taken, kNow);
  EXPECT_TRUE(restore(checkpoint, taken) == full());
  EXPECT_TRUE(restore(make_checkpoint(kKey, 7, DeciderState(), kNow), kNow) == DeciderState());
}

TEST(Checkpoint, OnAnotherMachineInstantsMoveWithTheClock) {
  wire::Checkpoint checkpoint = make_checkpoint(kKey, 7, full(), kNow);
  checkpoint.held_us = 3'000'000;
  const TimePoint there{90s};
  const TimePoint taken = taken_at(checkpoint, there);
  EXPECT_EQ(taken, there - 3s);
  const DeciderState state = restore(checkpoint, taken);
  EXPECT_EQ(state.panic_since, there - 7s);
  EXPECT_EQ(state.delayed.front().first, delay_slot(taken) - 3);
}

TEST(Checkpoint, TheHoldOfAProcessIsItsOwn) {
  DeciderState state;
  state.hold_until = kNow + 60s;
  EXPECT_TRUE(restore(make_checkpoint(kKey, 7, state, kNow), kNow) == DeciderState());
}

TEST(Checkpoint, AnyNumbersMakeAState) {
  constexpr std::uint64_t kHuge = wire::Checkpoint::kNever - 1;
  wire::Checkpoint checkpoint;
  checkpoint.at_us = kHuge;
  checkpoint.held_us = kHuge;
  checkpoint.panic_us = kHuge;
  checkpoint.active_us = kHuge;
  checkpoint.max_panic = 0xffffffff;
  checkpoint.delayed = {{0xffffffff, 0xffffffff}};
  const TimePoint taken = taken_at(checkpoint, kNow);
  EXPECT_LT(taken, kNow);
  const DeciderState state = restore(checkpoint, taken);
  EXPECT_GT(state.max_panic, 0);
  EXPECT_LT(*state.panic_since, kNow);
  checkpoint.at_us = static_cast<std::uint64_t>(kNow.time_since_epoch() / 1us) + 1;
  checkpoint.held_us = 0;
  EXPECT_EQ(taken_at(checkpoint, kNow), kNow) << "a clock that is ahead is not ours";
}

}  // namespace
}  // namespace pilotlight::autoscaler
