#include "autoscaler/patch_queue.h"

#include <vector>

#include <gtest/gtest.h>

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

PatchAnswer taken() {
  PatchAnswer answer;
  answer.status = 200;
  return answer;
}

PatchAnswer failed(unsigned status, FlowError error = FlowError::unexpected_status) {
  PatchAnswer answer;
  answer.status = status;
  answer.error = error;
  return answer;
}

wire::RevisionKey revision(std::size_t number) {
  wire::RevisionKey key;
  key.name_space = "default";
  key.revision = "r-" + std::to_string(number);
  return key;
}

class PatchQueueTest : public ::testing::Test {
 protected:
  void want(std::size_t number, std::int32_t to, std::int32_t from = 0) {
    Change change;
    change.from = from;
    change.to = to;
    queue.want(revision(number), "deployment", change);
  }

  PatchQueue::Attempt send() {
    std::optional<PatchQueue::Attempt> attempt = queue.next(now);
    EXPECT_TRUE(attempt.has_value()) << "nothing to send";
    return attempt.value_or(PatchQueue::Attempt());
  }

  PatchOutcome end(const PatchQueue::Attempt& attempt, const PatchAnswer& answer) {
    return queue.ended(attempt, answer, now, random);
  }

  /// Lets time pass until something may be sent.
  void wait() {
    const TimePoint due = queue.next_due(now);
    ASSERT_LT(due, TimePoint::max());
    now = std::max(now, due);
  }

  PatchQueue queue;
  TimePoint now{1000s};
  std::mt19937_64 random{7};
};

TEST_F(PatchQueueTest, WhatWasTakenIsForgotten) {
  want(1, 3);
  EXPECT_EQ(queue.wanted(revision(1)), 3);
  const auto attempt = send();
  EXPECT_EQ(attempt.change.to, 3);
  EXPECT_FALSE(queue.next(now)) << "one attempt per revision at a time";
  const PatchOutcome outcome = end(attempt, taken());
  EXPECT_EQ(outcome.result, PatchResult::taken);
  EXPECT_FALSE(outcome.retry_at);
  EXPECT_FALSE(queue.wanted(revision(1)));
  EXPECT_EQ(queue.next_due(now), TimePoint::max());
}

TEST_F(PatchQueueTest, AtMostSixteenAreOnTheirWay) {
  for (std::size_t i = 0; i < 20; ++i) want(i, 1);
  std::vector<PatchQueue::Attempt> sent;
  while (auto attempt = queue.next(now)) sent.push_back(*attempt);
  EXPECT_EQ(sent.size(), 16U);
  EXPECT_EQ(queue.in_flight(), 16U);
  EXPECT_EQ(queue.waiting(), 4U);
  EXPECT_EQ(queue.next_due(now), TimePoint::max()) << "one of them has to end first";
  static_cast<void>(end(sent.front(), taken()));
  EXPECT_EQ(send().revision, revision(16)) << "in the order of the wishes";
}

TEST_F(PatchQueueTest, WakesGoBeforeTheRest) {
  want(1, 5, 4);
  want(2, 1, 0);
  EXPECT_EQ(send().revision, revision(2));
  EXPECT_EQ(send().revision, revision(1));
}

TEST_F(PatchQueueTest, TheNewestWishTakesThePlaceOfOneThatWaits) {
  want(1, 2, 1);
  want(2, 2, 1);
  want(1, 7, 1);
  EXPECT_EQ(send().revision, revision(2));
  EXPECT_EQ(send().change.to, 7);
  EXPECT_FALSE(queue.next(now));
}

TEST_F(PatchQueueTest, AWishThatCameMeanwhileFollows) {
  want(1, 2);
  const auto first = send();
  want(1, 7);
  const PatchOutcome outcome = end(first, taken());
  EXPECT_TRUE(outcome.superseded);
  EXPECT_EQ(queue.wanted(revision(1)), 7);
  const auto second = send();
  EXPECT_EQ(second.change.to, 7);
  EXPECT_EQ(second.number, 1U);
}

TEST_F(PatchQueueTest, AFailureIsTriedAgainAfterAPauseThatDoubles) {
  want(1, 2);
  for (const Duration whole : {20ms, 40ms, 80ms, 160ms, 320ms, 640ms, 1280ms, 2000ms, 2000ms}) {
    const PatchOutcome outcome = end(send(), failed(500));
    ASSERT_TRUE(outcome.retry_at);
    EXPECT_GE(*outcome.retry_at - now, whole / 2);
    EXPECT_LE(*outcome.retry_at - now, whole);
    EXPECT_FALSE(queue.next(now)) << "not at once";
    ASSERT_NE(queue.failed(revision(1)), nullptr);
    EXPECT_EQ(queue.failed(revision(1))->result, PatchResult::server_error);
    wait();
  }
  const auto last = send();
  EXPECT_EQ(last.number, 10U);
  EXPECT_EQ(end(last, taken()).attempt, 10U);
  EXPECT_EQ(queue.failed(revision(1)), nullptr);
}

TEST_F(PatchQueueTest, ANewerWishDoesNotShortenThePause) {
  want(1, 2);
  const PatchOutcome outcome = end(send(), failed(500));
  want(1, 9);
  EXPECT_FALSE(queue.next(now));
  EXPECT_EQ(queue.next_due(now), *outcome.retry_at);
  wait();
  const auto again = send();
  EXPECT_EQ(again.change.to, 9);
  EXPECT_EQ(again.number, 2U);
}

TEST_F(PatchQueueTest, AnOlderAttemptThatFailsMakesPlaceForTheNewerWish) {
  want(1, 2);
  const auto first = send();
  want(1, 9);
  const PatchOutcome outcome = end(first, failed(409, FlowError::conflict));
  EXPECT_TRUE(outcome.superseded);
  EXPECT_TRUE(outcome.retry_at);
  wait();
  EXPECT_EQ(send().change.to, 9);
}

TEST_F(PatchQueueTest, RetryAfterIsHeededUpToAMinute) {
  for (const auto& [asked, least] : {std::pair<Duration, Duration>(3s, 3s), {1h, 60s}}) {
    want(1, 2);
    PatchAnswer answer = failed(429);
    answer.retry_after = asked;
    const PatchOutcome outcome = end(send(), answer);
    EXPECT_EQ(outcome.result, PatchResult::too_many_requests);
    EXPECT_GE(*outcome.retry_at - now, least);
    EXPECT_LE(*outcome.retry_at - now, least + 20ms);
    wait();
    static_cast<void>(end(send(), taken()));
  }
}

TEST_F(PatchQueueTest, ADeploymentThatIsMissingIsGivenUpButNotItsNewerWish) {
  want(1, 2);
  const auto first = send();
  want(1, 3);
  EXPECT_EQ(end(first, failed(404, FlowError::not_found)).result, PatchResult::missing);
  const PatchOutcome outcome = end(send(), failed(404, FlowError::not_found));
  EXPECT_FALSE(outcome.retry_at);
  EXPECT_FALSE(queue.wanted(revision(1)));
}

TEST_F(PatchQueueTest, EveryEndingHasAName) {
  const auto result = [](unsigned status, FlowError error) {
    return result_of(failed(status, error));
  };
  EXPECT_EQ(result_of(taken()), PatchResult::taken);
  EXPECT_EQ(result(409, FlowError::conflict), PatchResult::conflict);
  EXPECT_EQ(result(403, FlowError::unauthorized), PatchResult::refused);
  EXPECT_EQ(result(422, FlowError::unexpected_status), PatchResult::refused);
  EXPECT_EQ(result(503, FlowError::unexpected_status), PatchResult::server_error);
  EXPECT_EQ(result(0, FlowError::deadline_exceeded), PatchResult::timeout);
  EXPECT_EQ(result(0, FlowError::disconnected), PatchResult::connection);
}

/// An API that refuses everything for a while, and how often it is asked meanwhile.
TEST_F(PatchQueueTest, AnApiInTroubleIsAskedABoundedNumberOfTimesAndThenToldEverything) {
  constexpr std::size_t kRevisions = 1000;
  for (std::size_t i = 0; i < kRevisions; ++i) want(i, static_cast<std::int32_t>(i) + 1);
  std::size_t asked = 0;
  const TimePoint begin = now;
  while (now < begin + 20s) {
    while (const auto attempt = queue.next(now)) {
      ++asked;
      static_cast<void>(end(*attempt, failed(503)));
    }
    wait();
  }
  EXPECT_GE(asked, kRevisions + 2000) << "the budget is used";
  EXPECT_LE(asked, kRevisions + 200 + 2001) << "first attempts, 200 at once, 100 a second";
  EXPECT_EQ(queue.waiting(), kRevisions) << "nothing is lost";

  const TimePoint healthy = now;
  std::size_t told = 0;
  while (queue.waiting() > 0) {
    while (const auto attempt = queue.next(now)) {
      EXPECT_EQ(revision(static_cast<std::size_t>(attempt->change.to) - 1), attempt->revision);
      static_cast<void>(end(*attempt, taken()));
      ++told;
    }
    if (queue.waiting() > 0) wait();
  }
  EXPECT_EQ(told, kRevisions) << "each exactly once";
  EXPECT_LE(now - healthy, 2s) << "what is taken costs no budget";
}

TEST_F(PatchQueueTest, AWakeDoesNotWaitForTheBudgetOfOthers) {
  for (std::size_t i = 0; i < 400; ++i) want(i, 2, 1);
  for (int spent = 0; spent < 1000; ++spent) {
    const auto attempt = queue.next(now);
    if (!attempt) now += 1ms;
    if (attempt) static_cast<void>(end(*attempt, failed(503)));
  }
  want(1000, 1, 0);
  EXPECT_EQ(send().revision, revision(1000));
}

/// Any mix of wishes and failures: every revision ends with the newest number.
TEST_F(PatchQueueTest, WhateverHappensTheNewestWishIsTakenInTheEnd) {
  constexpr std::size_t kRevisions = 40;
  std::vector<std::int32_t> newest(kRevisions, 0);
  std::vector<std::int32_t> api(kRevisions, 0);
  std::vector<PatchQueue::Attempt> sent;
  std::uniform_int_distribution<std::size_t> any(0, 999);
  std::mt19937_64 dice(11);
  for (int step = 0; step < 20'000; ++step) {
    const bool wishing = step < 10'000;
    if (wishing && any(dice) < 200) {
      const std::size_t i = any(dice) % kRevisions;
      newest[i] = static_cast<std::int32_t>(any(dice));
      want(i, newest[i], api[i]);
    }
    while (auto attempt = queue.next(now)) sent.push_back(std::move(*attempt));
    EXPECT_LE(sent.size(), PatchQueue::kInFlightLimit);
    if (!sent.empty() && any(dice) < 600) {
      std::swap(sent[any(dice) % sent.size()], sent.back());
      const PatchQueue::Attempt attempt = std::move(sent.back());
      sent.pop_back();
      const bool good = any(dice) < 500;
      const std::size_t i = std::stoul(attempt.revision.revision.substr(2));
      if (good) api[i] = attempt.change.to;
      static_cast<void>(end(attempt, good ? taken() : failed(500)));
    }
    now += 5ms;
  }
  EXPECT_EQ(queue.waiting(), 0U);
  EXPECT_EQ(api, newest);
}

TEST_F(PatchQueueTest, WhatIsForgottenIsNotSentAndNotTriedAgain) {
  want(1, 1);
  queue.forget(revision(1));
  EXPECT_FALSE(queue.next(now));

  want(1, 1);
  const auto attempt = send();
  queue.forget(revision(1));
  EXPECT_EQ(queue.in_flight(), 1U) << "it is on its way";
  const PatchOutcome outcome = end(attempt, failed(503));
  EXPECT_FALSE(outcome.retry_at);
  EXPECT_EQ(queue.next_due(now), TimePoint::max());

  want(1, 2);
  end(send(), failed(503));  // rests
  queue.forget(revision(1));
  EXPECT_EQ(queue.next_due(now), TimePoint::max());
  EXPECT_EQ(queue.waiting(), 0U);

  want(1, 2);
  const auto outdated = send();
  want(1, 4);  // in its place, but then nobody wants anything
  queue.forget(revision(1));
  end(outdated, failed(503));
  EXPECT_EQ(queue.next_due(now), TimePoint::max());
  EXPECT_EQ(queue.waiting(), 0U);

  want(1, 2);
  const auto again = send();
  queue.forget(revision(1));
  want(1, 3);  // and wanted anew
  end(again, failed(503));
  wait();
  EXPECT_EQ(send().change.to, 3);
}

}  // namespace
}  // namespace pilotlight::autoscaler
