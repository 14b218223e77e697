#include "common/async/interruption.h"

#include <gtest/gtest.h>

namespace pilotlight {
namespace {

/// Counts how often the wait that it stands for is ended.
struct Wait {
  explicit Wait(Interruption& by) : target(by, &Wait::end, this) {}
  static void end(void* self) { ++static_cast<Wait*>(self)->ends; }
  int ends = 0;
  Interruption::Target target;
};

TEST(Interruption, TheFirstCauseStaysAndEndsThePresentWaitOnce) {
  Interruption interruption;
  const Wait outer(interruption);
  const Wait inner(interruption);
  EXPECT_EQ(interruption.error(), ErrorCode());
  interruption.raise(Cause::left);
  interruption.raise(Cause::deadline);
  EXPECT_EQ(interruption.cause(), Cause::left);
  EXPECT_EQ(interruption.error(), FlowError::downstream_gone);
  EXPECT_EQ(inner.ends, 1);
  EXPECT_EQ(outer.ends, 0) << "the inner one counts while it exists";
}

TEST(Interruption, AStopComesThroughAfterAnyOtherCauseOnce) {
  for (const Cause before : {Cause::none, Cause::left, Cause::deadline}) {
    Interruption interruption;
    const Wait wait(interruption);
    if (before != Cause::none) interruption.raise(before);
    const int already = wait.ends;
    interruption.raise(Cause::stopped);
    interruption.raise(Cause::stopped);
    EXPECT_EQ(wait.ends, already + 1);
    interruption.raise(Cause::left);
    EXPECT_EQ(interruption.error(), FlowError::draining);
  }
}

TEST(Interruption, ADeadlineIsForgottenSoThatItsAnswerCanBeWritten) {
  Interruption interruption;
  interruption.raise(Cause::deadline);
  EXPECT_EQ(interruption.error(), FlowError::deadline_exceeded);
  interruption.clear_deadline();
  EXPECT_FALSE(interruption.raised());
  interruption.raise(Cause::left);
  interruption.clear_deadline();
  EXPECT_EQ(interruption.error(), FlowError::downstream_gone) << "a client stays gone";
}

}  // namespace
}  // namespace pilotlight
