#include "activator/replica_set.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "common/net/listener.h"

namespace pilotlight::activator {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kServer = 77;

wire::Replica told(const std::string& name, std::uint32_t capacity = 1, std::uint64_t epoch = 1) {
  wire::Replica replica;
  replica.name = name;
  replica.address = "127.0.0." + name + ":8012";
  replica.epoch = epoch;
  replica.capacity = capacity;
  return replica;
}

SliceReplica slice(const std::string& name, bool ready = true) {
  SliceReplica replica;
  replica.name = name;
  replica.address = *parse_endpoint("127.0.0." + name + ":8012");
  replica.ready = ready;
  return replica;
}

class ReplicaSetTest : public ::testing::Test {
 protected:
  ReplicaSetTest() { set_.set_connected(true); }

  void endpoints(std::vector<wire::Replica> replicas, bool complete = true,
                 std::uint64_t server_epoch = kServer) {
    wire::Endpoints frame;
    frame.server_epoch = server_epoch;
    frame.generation = ++generation_;
    frame.complete = complete;
    frame.replicas = std::move(replicas);
    set_.apply(frame);
  }
  std::string choose() {
    Replica* replica = set_.choose(now_);
    return replica == nullptr ? "" : replica->place->name;
  }
  std::string choose_each(int times) {
    std::string chosen;
    for (int i = 0; i < times; ++i) chosen += choose();
    return chosen;
  }
  Replica* named(std::string_view name) {
    for (const auto& replica : set_.all()) {
      if (replica->place->name == name && replica->listed) return replica.get();
    }
    return nullptr;
  }
  std::string listed() {
    std::string names;
    for (const auto& replica : set_.all()) {
      if (replica->listed) names += replica->place->name;
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  TimePoint now_{1h};
  std::uint64_t generation_ = 0;
  ReplicaSet set_{4};
};

TEST_F(ReplicaSetTest, TheLeastLoadedIsChosenAndNoneBeyondItsCapacity) {
  endpoints({told("1", 2), told("2", 1)});
  EXPECT_EQ(choose(), "1");
  EXPECT_EQ(choose(), "2");
  EXPECT_EQ(choose(), "1");
  EXPECT_EQ(choose(), "") << "all places are taken";
  set_.release(*named("2"), Finding::none, now_);
  EXPECT_EQ(choose(), "2");
}

TEST_F(ReplicaSetTest, OfEquallyLoadedOnesTheOneNotChosenForLongestComesNext) {
  endpoints({told("1"), told("2"), told("3")});
  for (const char* expected : {"1", "2", "3", "1"}) {
    Replica* replica = set_.choose(now_);
    EXPECT_EQ(replica->place->name, expected);
    set_.release(*replica, Finding::none, now_);
  }
}

TEST_F(ReplicaSetTest, CapacityZeroIsUnlimited) {
  endpoints({told("1", 0)});
  for (int i = 0; i < 100; ++i) EXPECT_EQ(choose(), "1");
}

TEST_F(ReplicaSetTest, OlderWordOfTheSameServerIsIgnored) {
  endpoints({told("1")});
  wire::Endpoints late;
  late.server_epoch = kServer;
  late.generation = 0;
  late.complete = true;
  set_.apply(late);
  EXPECT_EQ(listed(), "1");
}

TEST_F(ReplicaSetTest, UnderANewServerASetOnlyAddsUntilItIsComplete) {
  endpoints({told("1"), told("2")});
  endpoints({told("3")}, false, kServer + 1);
  EXPECT_EQ(listed(), "123");
  endpoints({told("4")}, false, kServer + 1);
  EXPECT_EQ(listed(), "124") << "what the new server itself listed, it can take back";
  endpoints({told("2"), told("4")}, true, kServer + 1);
  EXPECT_EQ(listed(), "24");
}

TEST_F(ReplicaSetTest, AReplicaUnderANewEpochIsANewOne) {
  endpoints({told("1", 1, 10)});
  ASSERT_EQ(choose(), "1");
  Replica* old = named("1");
  endpoints({told("1", 1, 11)});
  EXPECT_EQ(choose(), "1") << "what was in flight at the dead one takes no place of the new one";
  EXPECT_EQ(set_.all().size(), 2u);
  set_.release(*old, Finding::none, now_);
  EXPECT_EQ(set_.all().size(), 1u) << "the dead one is forgotten with its last request";
}

TEST_F(ReplicaSetTest, SlicesCountOnlyWhileTheAutoscalerIsAwayOrIncomplete) {
  set_.apply_slices({slice("1")});
  EXPECT_EQ(listed(), "1") << "nothing is known yet: better than nothing";
  endpoints({told("2")});
  EXPECT_EQ(listed(), "2");
  set_.apply_slices({slice("1"), slice("2")});
  EXPECT_EQ(listed(), "2");
  set_.set_connected(false);
  EXPECT_EQ(listed(), "12");
  set_.apply_slices({slice("1"), slice("2", false)});
  EXPECT_EQ(listed(), "1");
  set_.set_connected(true);
  EXPECT_EQ(listed(), "1") << "until it has spoken";
  endpoints({told("2")});
  EXPECT_EQ(listed(), "2");
}

TEST_F(ReplicaSetTest, AReplicaTooNewForTheSlicesStaysWhenTheAutoscalerLeaves) {
  endpoints({told("1")});
  set_.set_connected(false);
  set_.apply_slices({});
  EXPECT_EQ(listed(), "1");
}

TEST_F(ReplicaSetTest, OneThatTheAutoscalerLostSightOfStaysWhileASliceCallsItReady) {
  set_.apply_slices({slice("1"), slice("2")});
  endpoints({told("1", 2), told("2", 2)});
  endpoints({told("2", 2)}, false);
  EXPECT_EQ(listed(), "12");
  EXPECT_EQ(choose_each(2), "22") << "others come first";
  EXPECT_EQ(choose(), "1") << "better than to wait";
  EXPECT_EQ(choose(), "") << "but one at a time";
  set_.succeeded(*named("1"));
  endpoints({told("2", 2)}, false);
  EXPECT_EQ(choose(), "1") << "it is there: what the autoscaler does not see is no news";
  set_.apply_slices({slice("2")});
  EXPECT_EQ(named("1"), nullptr) << "the slice has taken it back too";
  set_.apply_slices({slice("1"), slice("2")});
  endpoints({told("2", 2), told("1", 2)});
  EXPECT_EQ(listed(), "12");
  endpoints({}, true);
  EXPECT_EQ(listed(), "") << "who knows everything is believed";
}

TEST_F(ReplicaSetTest, WhenAllAreDoubtedEachIsTried) {
  set_.apply_slices({slice("1"), slice("2")});
  endpoints({told("1", 2), told("2", 2)});
  endpoints({}, false);
  EXPECT_EQ(choose_each(3), "12");
  set_.release(*named("1"), Finding::refused, now_);
  EXPECT_EQ(choose(), "") << "one has been tried, one is being tried";
  EXPECT_EQ(set_.usable(), 1u);
}

TEST_F(ReplicaSetTest, WhatTheAutoscalerCallsReadyASliceDoesNotTakeBackWhileItIsThere) {
  set_.apply_slices({slice("1"), slice("2")});
  endpoints({told("1")}, false);
  set_.apply_slices({slice("1", false), slice("2")});
  EXPECT_EQ(listed(), "12") << "the sidecar knows better than the slice";
  set_.set_connected(false);
  set_.apply_slices({slice("1"), slice("2")});
  set_.apply_slices({slice("2")});
  EXPECT_EQ(listed(), "2");
}

TEST_F(ReplicaSetTest, OneThatASliceTakesBackAndCallsReadyAgainIsTheSame) {
  set_.apply_slices({slice("1")});
  ASSERT_EQ(choose(), "1");
  set_.apply_slices({slice("1", false)});
  EXPECT_EQ(listed(), "");
  set_.apply_slices({slice("1")});
  EXPECT_EQ(set_.all().size(), 1u);
  EXPECT_EQ(named("1")->in_flight, 1u);
}

TEST_F(ReplicaSetTest, ASetThatIsCompleteNoLongerIsFilledUpFromTheSlices) {
  endpoints({told("1")});
  set_.apply_slices({slice("1"), slice("2")});
  EXPECT_EQ(listed(), "1");
  endpoints({told("1")}, false);
  EXPECT_EQ(listed(), "12");
  EXPECT_EQ(choose_each(2), "12") << "nobody doubts the other";
}

TEST_F(ReplicaSetTest, WhatASliceToldAndASidecarConfirmsIsOneReplica) {
  set_.apply_slices({slice("1")});
  ASSERT_EQ(choose(), "1");
  endpoints({told("1", 1, 5)});
  ASSERT_EQ(set_.all().size(), 1u);
  EXPECT_EQ(choose(), "") << "its one place is taken already";
}

TEST_F(ReplicaSetTest, ARefusedReplicaIsLeftAloneForADoublingWhile) {
  endpoints({told("1", 9)});
  Duration wait = 20ms;
  for (int i = 0; i < 8; ++i) {
    Replica* replica = set_.choose(now_);
    ASSERT_NE(replica, nullptr);
    set_.release(*replica, Finding::refused, now_);
    EXPECT_EQ(set_.next_change(now_), now_ + wait);
    EXPECT_EQ(set_.usable(), 0u);
    now_ += wait - 1ns;
    EXPECT_EQ(choose(), "");
    now_ += 1ns;
    wait = std::min<Duration>(wait * 2, 1s);
  }
  ReplicaSet::succeeded(*named("1"));
  Replica* replica = set_.choose(now_);
  set_.release(*replica, Finding::refused, now_);
  EXPECT_EQ(set_.next_change(now_), now_ + 20ms) << "an answer starts the doubling anew";
}

TEST_F(ReplicaSetTest, NewerWordEndsABackOff) {
  endpoints({told("1")});
  set_.release(*set_.choose(now_), Finding::not_ready, now_);
  EXPECT_EQ(choose(), "");
  endpoints({told("1")});
  EXPECT_EQ(choose(), "1");
}

TEST_F(ReplicaSetTest, APlaceOfOursThatBecomesFreeEndsFull) {
  endpoints({told("1", 3)});
  Replica* replica = set_.choose(now_);
  ASSERT_EQ(set_.choose(now_), replica);
  set_.release(*replica, Finding::full, now_);
  EXPECT_EQ(set_.usable(), 1u) << "a full replica is there all the same";
  EXPECT_EQ(choose(), "");
  set_.release(*replica, Finding::none, now_);
  EXPECT_EQ(choose(), "1");
}

TEST_F(ReplicaSetTest, AClosedReplicaIsDrainedWhenItsLastRequestEnds) {
  endpoints({told("1", 2)});
  Replica* replica = set_.choose(now_);
  ASSERT_EQ(set_.close("1", 1), replica);
  EXPECT_EQ(choose(), "");
  EXPECT_TRUE(set_.take_drained().empty());
  endpoints({});
  EXPECT_EQ(set_.usable(), 0u);
  set_.release(*replica, Finding::none, now_);
  const auto drained = set_.take_drained();
  ASSERT_EQ(drained.size(), 1u);
  EXPECT_EQ(drained[0].name, "1");
  EXPECT_EQ(drained[0].epoch, 1u);
  EXPECT_TRUE(set_.take_drained().empty()) << "told once";
  EXPECT_TRUE(set_.all().empty());
}

TEST_F(ReplicaSetTest, ADrainOfAnotherEpochFindsNothing) {
  endpoints({told("1", 2, 5)});
  EXPECT_EQ(set_.close("1", 6), nullptr);
  EXPECT_EQ(set_.close("2", 5), nullptr);
  EXPECT_EQ(choose(), "1");
}

TEST_F(ReplicaSetTest, ADrainingReplicaIsNotChosenUntilItIsReadyAgain) {
  wire::Replica draining = told("1");
  draining.state = wire::ReplicaState::draining;
  endpoints({draining});
  EXPECT_EQ(choose(), "");
  (void)set_.close("1", 1);
  endpoints({told("1")});
  EXPECT_EQ(choose(), "1");
}

TEST_F(ReplicaSetTest, AnAddressThatIsNoneIsPassedOver) {
  wire::Replica bad = told("1");
  bad.address = "nowhere";
  endpoints({bad, told("2")});
  EXPECT_EQ(listed(), "2");
}

}  // namespace
}  // namespace pilotlight::activator
