#include "autoscaler/cold_start.h"

#include <gtest/gtest.h>

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

const TimePoint kParked{1000s};

Duration phase(const ColdStart& story, Phase which) {
  return story.phases[static_cast<std::size_t>(which)].value_or(-1s);
}
bool absent(const ColdStart& story, Phase which) {
  return !story.phases[static_cast<std::size_t>(which)];
}

TEST(ColdStarts, AWakeOfTheLaptopHasThePhasesThatCanBeSeenThere) {
  ColdStarts starts;
  starts.poked(kParked);
  starts.woken(kParked + 1ms);
  starts.patched(kParked + 3ms);
  starts.pod("r1", Phase::start, kParked + 8ms);
  starts.ready("r1", 12ms, kParked + 1920ms);
  EXPECT_FALSE(starts.take(kParked + 1920ms)) << "its first answer is still to come";
  starts.answered(2s);
  const auto story = starts.take(kParked + 2s);
  ASSERT_TRUE(story);
  EXPECT_EQ(story->replica, "r1");
  EXPECT_EQ(phase(*story, Phase::decide), 1ms);
  EXPECT_EQ(phase(*story, Phase::patch), 2ms);
  EXPECT_EQ(phase(*story, Phase::start), 5ms);
  EXPECT_EQ(phase(*story, Phase::listen), 1900ms) << "READY came 12 ms after the port was open";
  EXPECT_EQ(phase(*story, Phase::ready), 12ms);
  EXPECT_EQ(phase(*story, Phase::first_byte), 80ms);
  for (const Phase unseen : {Phase::scheduled, Phase::image, Phase::init}) {
    EXPECT_TRUE(absent(*story, unseen)) << to_string(unseen);
    EXPECT_FALSE(starts.seen(unseen));
  }
  EXPECT_EQ(story->to_ready, 1920ms);
  EXPECT_EQ(*story->waited, 2s);
  EXPECT_FALSE(starts.take(kParked + 3s)) << "told once";
}

TEST(ColdStarts, TheImageMayBePulledBeforeOrAfterTheInitContainers) {
  for (const bool image_first : {true, false}) {
    ColdStarts starts;
    starts.poked(kParked);
    starts.woken(kParked);
    starts.patched(kParked + 10ms);
    starts.pod("r1", Phase::scheduled, kParked + 1s);
    starts.pod("r1", image_first ? Phase::image : Phase::init, kParked + 3s);
    starts.pod("r1", image_first ? Phase::init : Phase::image, kParked + 7s);
    starts.pod("r1", Phase::start, kParked + 8s);
    starts.ready("r1", 0ms, kParked + 9s);
    starts.answered(9s);
    const auto story = starts.take(kParked + 9s);
    ASSERT_TRUE(story);
    EXPECT_EQ(phase(*story, Phase::scheduled), 990ms);
    EXPECT_EQ(phase(*story, Phase::image), image_first ? 2s : 4s);
    EXPECT_EQ(phase(*story, Phase::init), image_first ? 4s : 2s);
    EXPECT_EQ(phase(*story, Phase::start), 1s);
  }
}

TEST(ColdStarts, WhatTheApiTellsTooLateIsAbsentAndItsTimeIsInTheNextPhase) {
  ColdStarts starts;
  starts.poked(kParked);
  starts.woken(kParked);
  starts.patched(kParked + 1ms);
  starts.pod("r1", Phase::start, kParked + 2s);  // kubelet told a second after the app listened
  starts.ready("r1", 1000ms, kParked + 2s);
  starts.answered(2s);
  const auto story = starts.take(kParked + 2s);
  ASSERT_TRUE(story);
  EXPECT_TRUE(absent(*story, Phase::start));
  EXPECT_EQ(phase(*story, Phase::listen), 999ms);
  EXPECT_EQ(phase(*story, Phase::ready), 1s);
}

TEST(ColdStarts, TheFirstReadyReplicaCountsAndOthersPhasesDoNot) {
  ColdStarts starts;
  starts.poked(kParked);
  starts.woken(kParked);
  starts.patched(kParked);
  starts.pod("slow", Phase::start, kParked + 100ms);
  starts.pod("fast", Phase::start, kParked + 200ms);
  starts.ready("fast", 0ms, kParked + 300ms);
  starts.ready("slow", 0ms, kParked + 900ms);
  starts.answered(400ms);
  const auto story = starts.take(kParked + 1s);
  ASSERT_TRUE(story);
  EXPECT_EQ(story->replica, "fast");
  EXPECT_EQ(phase(*story, Phase::start), 200ms);
  EXPECT_EQ(story->to_ready, 300ms);
}

TEST(ColdStarts, AContainerThatStartsAgainIsTimedByItsLastStart) {
  ColdStarts starts;
  starts.poked(kParked);
  starts.woken(kParked);
  starts.patched(kParked);
  starts.pod("r1", Phase::start, kParked + 1s);
  starts.pod("r1", Phase::start, kParked + 5s);
  starts.ready("r1", 100ms, kParked + 6s);
  starts.answered(7s);
  const auto story = starts.take(kParked + 7s);
  ASSERT_TRUE(story);
  EXPECT_EQ(phase(*story, Phase::start), 5s);
}

TEST(ColdStarts, NobodyWaitedSoItIsToldWhenReady) {
  ColdStarts starts;
  starts.woken(kParked);  // a floor, not a request
  starts.patched(kParked + 1ms);
  starts.ready("r1", 0ms, kParked + 1s);
  const auto story = starts.take(kParked + 1s);
  ASSERT_TRUE(story);
  EXPECT_TRUE(absent(*story, Phase::decide));
  EXPECT_TRUE(absent(*story, Phase::first_byte));
  EXPECT_FALSE(story->waited);
}

TEST(ColdStarts, AnAnswerThatNeverComesIsNotWaitedForForEver) {
  ColdStarts starts;
  starts.poked(kParked);
  starts.woken(kParked);
  starts.ready("r1", 0ms, kParked + 1s);
  EXPECT_FALSE(starts.take(kParked + 5999ms));
  const auto story = starts.take(kParked + 6s);
  ASSERT_TRUE(story);
  EXPECT_FALSE(story->waited);
}

TEST(ColdStarts, TheApisAnswerMayComeBehindWhatItHasCaused) {
  ColdStarts starts;
  starts.poked(kParked);
  starts.woken(kParked + 1ms);
  starts.pod("r1", Phase::start, kParked + 3ms);
  starts.ready("r1", 2ms, kParked + 8ms);
  starts.answered(9ms);
  EXPECT_FALSE(starts.take(kParked + 9ms)) << "it is sure to come";
  starts.patched(kParked + 20ms);
  const auto story = starts.take(kParked + 20ms);
  ASSERT_TRUE(story);
  EXPECT_EQ(phase(*story, Phase::patch), 2ms) << "there was a Pod: the API had taken it by then";
  EXPECT_EQ(phase(*story, Phase::start), 0ms);
  EXPECT_EQ(phase(*story, Phase::listen), 3ms);
  EXPECT_EQ(phase(*story, Phase::ready), 2ms);
  EXPECT_EQ(phase(*story, Phase::first_byte), 1ms);
}

TEST(ColdStarts, AnApiThatNeverAnswersIsNotWaitedForForEver) {
  ColdStarts starts;
  starts.poked(kParked);
  starts.woken(kParked);
  starts.ready("r1", 0ms, kParked + 1s);
  starts.answered(1s);
  EXPECT_FALSE(starts.take(kParked + 5999ms));
  const auto story = starts.take(kParked + 6s);
  ASSERT_TRUE(story);
  EXPECT_TRUE(absent(*story, Phase::patch));
}

TEST(ColdStarts, AWakeThatLedToNothingTeachesNothing) {
  ColdStarts starts;
  starts.poked(kParked);
  starts.woken(kParked);
  starts.pod("r1", Phase::start, kParked + 1s);
  starts.asleep();
  starts.ready("r1", 0ms, kParked + 700s);
  EXPECT_FALSE(starts.take(kParked + 800s));
  EXPECT_EQ(starts.percentile_us(95), 0U);
}

TEST(ColdStarts, AnAbsurdLengthOfAPeerDoesNoHarm) {
  constexpr std::uint64_t kHuge = ~std::uint64_t{0};
  EXPECT_EQ(told_length(kHuge), 24h);
  ColdStarts starts;
  starts.poked(kParked);
  starts.woken(kParked + 1ms);
  starts.patched(kParked + 1ms);
  starts.ready("r", told_length(kHuge), kParked + 1s);
  starts.answered(told_length(kHuge));
  const auto story = starts.take(kParked + 1s);
  ASSERT_TRUE(story);
  EXPECT_EQ(phase(*story, Phase::ready), 999ms) << "no phase is longer than what was seen of it";
}

TEST(ColdStarts, ThePercentilesAreOfTheLast32Wakes) {
  ColdStarts starts;
  EXPECT_EQ(starts.percentile_us(50), 0U);
  TimePoint now = kParked;
  const auto wake = [&](Duration length) {
    starts.poked(now);
    starts.woken(now);
    starts.patched(now);
    starts.ready("r", 0ms, now + length);
    starts.answered(length);
    static_cast<void>(starts.take(now + length));
    now += 1h;
  };
  wake(7s);
  EXPECT_EQ(starts.percentile_us(50), 7'000'000U);
  EXPECT_EQ(starts.percentile_us(95), 7'000'000U);
  for (int i = 1; i <= 32; ++i) wake(std::chrono::seconds(i));
  EXPECT_EQ(starts.percentile_us(50), 16'000'000U);
  EXPECT_EQ(starts.percentile_us(95), 31'000'000U);
  EXPECT_EQ(starts.percentile_us(100), 32'000'000U);
}

}  // namespace
}  // namespace pilotlight::autoscaler
