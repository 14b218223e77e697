#include "common/flow/admission.h"

#include <optional>

#include <gtest/gtest.h>

#include "common/async/scope.h"
#include "tests/support/sim_clock.h"

namespace pilotlight {
namespace {

using namespace std::chrono_literals;

class AdmissionTest : public ::testing::Test {
 protected:
  /// One caller: how its acquire() ended, and the permit it holds until finish().
  struct Caller {
    std::optional<ErrorCode> outcome;  // empty while it waits; no error means admitted
    std::optional<Admission::Permit> permit;

    void finish() { permit.reset(); }
    Interruption interruption;

    [[nodiscard]] bool waiting() const { return !outcome; }
    [[nodiscard]] bool admitted() const { return permit.has_value(); }
  };

  void call(Caller& caller, Duration patience) {
    scope_.spawn(run(caller, clock_.now() + patience));
    clock_.settle();
  }

  Task<> run(Caller& caller, TimePoint deadline) {
    auto result = co_await admission_.acquire(deadline, caller.interruption);
    if (result) {
      caller.permit.emplace(std::move(*result));
      caller.outcome.emplace();
    } else {
      caller.outcome = result.error();
    }
  }

  asio::io_context loop_{1};
  test::SimClock clock_{loop_};
  Scope scope_{loop_.get_executor()};  // its destructor checks that every caller has ended
  Admission admission_{clock_, {.limit = 1, .queue_depth = 2}};
};

TEST_F(AdmissionTest, WaitersRunInOrderAsSlotsFree) {
  Caller first;
  Caller second;
  Caller third;
  call(first, 10s);
  call(second, 10s);
  call(third, 10s);
  ASSERT_TRUE(first.admitted());
  ASSERT_TRUE(second.waiting() && third.waiting());

  first.finish();
  clock_.settle();
  EXPECT_TRUE(second.admitted());
  EXPECT_TRUE(third.waiting()) << "a freed slot must wake exactly one waiter";
  second.finish();
  clock_.settle();
  EXPECT_TRUE(third.admitted());
}

TEST_F(AdmissionTest, TheOldestWaitIsOfTheOneThatIsNext) {
  Caller running;
  Caller second;
  Caller third;
  EXPECT_EQ(admission_.oldest_wait(clock_.now()), 0s);
  call(running, 1h);
  EXPECT_EQ(admission_.oldest_wait(clock_.now()), 0s) << "it does not wait";
  call(second, 1h);
  clock_.advance(2s);
  call(third, 1h);
  clock_.advance(1s);
  EXPECT_EQ(admission_.oldest_wait(clock_.now()), 3s);
  running.finish();
  clock_.settle();
  EXPECT_EQ(admission_.oldest_wait(clock_.now()), 1s);
  second.finish();
  clock_.settle();
  EXPECT_EQ(admission_.oldest_wait(clock_.now()), 0s);
}

TEST_F(AdmissionTest, DeadlineIsExactAndFreesThePlaceInQueue) {
  Caller running;
  Caller late;
  call(running, 1h);
  call(late, 3s);

  clock_.advance(3s - 1ns);
  EXPECT_TRUE(late.waiting());
  clock_.advance(1ns);
  EXPECT_EQ(late.outcome, make_error_code(FlowError::deadline_exceeded));
  EXPECT_EQ(admission_.waiting(), 0u);

  running.finish();  // must not try to wake the caller that left
  clock_.settle();
  EXPECT_EQ(admission_.in_flight(), 0u);
}

TEST_F(AdmissionTest, RefusesAtOnceWhenTheQueueIsFull) {
  Caller running;
  Caller second;
  Caller third;
  Caller fourth;
  call(running, 1h);
  call(second, 1h);
  call(third, 1h);
  call(fourth, 1h);
  EXPECT_EQ(fourth.outcome, make_error_code(FlowError::queue_full));
  admission_.close();
  clock_.settle();
  EXPECT_EQ(second.outcome, make_error_code(FlowError::draining));
  EXPECT_EQ(third.outcome, make_error_code(FlowError::draining));
  EXPECT_TRUE(running.admitted()) << "a permit that is out stays valid through close()";
  running.finish();
}

TEST_F(AdmissionTest, RaisingTheLimitWakesAsManyAsItAdmitsLoweringRevokesNothing) {
  Caller first;
  Caller second;
  Caller third;
  call(first, 1h);
  call(second, 1h);
  call(third, 1h);
  admission_.set_limit(2);
  clock_.settle();
  EXPECT_TRUE(second.admitted());
  EXPECT_TRUE(third.waiting());
  admission_.set_limit(0);
  first.finish();
  second.finish();
  clock_.settle();
  EXPECT_TRUE(third.waiting()) << "a limit of 0 admits nobody";
  admission_.set_limit(1);
  clock_.settle();
  EXPECT_TRUE(third.admitted());
  third.finish();
}

TEST_F(AdmissionTest, AClientThatLeavesFreesItsPlaceInTheQueueAtOnce) {
  Caller running;
  Caller second;
  Caller third;
  Caller fourth;
  call(running, 1h);
  call(second, 1h);
  call(third, 1h);
  second.interruption.raise(Cause::left);
  clock_.settle();
  EXPECT_EQ(second.outcome, make_error_code(FlowError::downstream_gone));
  call(fourth, 1h);
  EXPECT_TRUE(fourth.waiting()) << "the freed place must be taken, not refused";
  running.finish();
  clock_.settle();
  EXPECT_TRUE(third.admitted()) << "the next in line, not the one that left";
  third.finish();
  clock_.settle();
  fourth.finish();
}

}  // namespace
}  // namespace pilotlight
