#include <deque>

#include <gtest/gtest.h>

#include "autoscaler/path_teller.h"
#include "common/async/scope.h"
#include "tests/support/sim_clock.h"

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

const wire::RevisionKey kIris{"team", "iris"};
const wire::RevisionKey kRose{"team", "rose"};

class PathMarksTest : public ::testing::Test {
 protected:
  /// Says what is to be written now, and that it was.
  std::string write() {
    const auto attempt = marks.next(now);
    if (!attempt) return "nothing";
    marks.ended(*attempt, true, now, random);
    return attempt->service + (attempt->direct ? " serve" : " proxy");
  }
  PathMarks marks;
  TimePoint now{1000s};
  std::mt19937_64 random{7};
};

TEST_F(PathMarksTest, OnlyWhatDiffersFromWhatTheApiShowsIsWritten) {
  marks.want(kIris, false);
  marks.seen(kIris, "iris-private", false);
  EXPECT_EQ(write(), "nothing") << "no mark is the proxy path";
  marks.want(kIris, true);
  EXPECT_EQ(write(), "iris-private serve");
  EXPECT_EQ(write(), "nothing");
  marks.seen(kIris, "iris-private", true);
  marks.want(kIris, true);
  EXPECT_EQ(write(), "nothing");
  marks.seen(kIris, "iris-private", false);  // somebody has taken it away
  EXPECT_EQ(write(), "iris-private serve");
}

TEST_F(PathMarksTest, WithoutAPrivateServiceThereIsNothingToMark) {
  marks.want(kIris, true);
  EXPECT_EQ(write(), "nothing");
  EXPECT_EQ(marks.next_due(), TimePoint::max());
  marks.seen(kIris, "iris-private", false);
  marks.gone(kIris);
  EXPECT_EQ(write(), "nothing");
}

TEST_F(PathMarksTest, OneThatNobodyDecidesAboutIsLeftAsItIs) {
  marks.seen(kIris, "iris-private", true);
  EXPECT_EQ(write(), "nothing");
  marks.want(kIris, false);
  marks.forget(kIris);
  EXPECT_EQ(write(), "nothing");
}

TEST_F(PathMarksTest, AFailureRestsLongerEachTimeAndOthersGoOn) {
  marks.seen(kIris, "iris-private", false);
  marks.seen(kRose, "rose-private", false);
  marks.want(kIris, true);
  Duration longest{};
  for (int i = 0; i < 10; ++i) {
    now = std::max(now, marks.next_due());
    const auto attempt = marks.next(now);
    ASSERT_TRUE(attempt);
    marks.ended(*attempt, false, now, random);
    longest = std::max(longest, marks.next_due() - now);
  }
  EXPECT_GE(longest, 5s);
  EXPECT_LE(longest, 10s);
  marks.want(kRose, true);
  EXPECT_EQ(write(), "rose-private serve");
  marks.want(kIris, false);
  EXPECT_EQ(marks.waiting(), 0U) << "it is as wanted again";
}

/// An API that answers after 10 ms, and fails as often as told.
struct FakePaths final : PathTarget {
  explicit FakePaths(Clock& c) : clock(c) {}
  Task<Result<>> mark_path(std::string, std::string service, bool direct) override {
    most = std::max(most, ++open);
    const auto timer = clock.make_timer();
    co_await timer->wait_until(clock.now() + 10ms);
    --open;
    if (failures > 0) {
      --failures;
      co_return make_error_code(FlowError::conflict);
    }
    written.push_back(service + (direct ? " serve" : " proxy"));
    co_return Result<>();
  }
  Clock& clock;
  std::vector<std::string> written;
  int open = 0;
  int most = 0;
  int failures = 0;
};

TEST(PathTeller, CarriesOneAfterAnotherAndTriesAgain) {
  asio::io_context io{1};
  test::SimClock clock{io};
  Scope scope{io.get_executor()};
  std::mt19937_64 random{7};
  FakePaths target{clock};
  target.failures = 2;
  PathTeller teller{clock, target, random};
  scope.spawn(teller.run());
  clock.settle();
  for (const wire::RevisionKey& key : {kIris, kRose}) {
    teller.seen(key, key.revision + "-private", false);
    teller.want(key, true);
  }
  clock.advance(5s);
  EXPECT_EQ(target.written.size(), 2U);
  EXPECT_EQ(target.most, 1);
  EXPECT_EQ(teller.failed(), 2U);
  EXPECT_EQ(teller.taken(), 2U);
  EXPECT_EQ(teller.waiting(), 0U);
  teller.close();
  clock.settle();
  EXPECT_EQ(scope.size(), 0U);
}

}  // namespace
}  // namespace pilotlight::autoscaler
