// Replicas at times of the day, by a calendar in the test's hands, across both changes of the
// clocks.
#include "config/scaling_policy.h"
#include "tests/autoscaler/loop_world.h"

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono;

class LoopWithFloors : public LoopTest {
 protected:
  LoopWithFloors() {
    loop.tell_time_by(
        [this] { return nanoseconds(wall_.time_since_epoch() + (clock.now() - since_)).count(); });
    loop.deployments_known();
    loop.registry().slices_known();
    loop.joined(activator);
    SubjectView of = view(0, 7);
    const auto policy = config::read_scaling_policy(
        {{config::kFloorAnnotation,
          R"([{"cron":"0 8 * * *","replicas":2,"for":"1h","timezone":"Europe/Berlin"}])"}},
        4);
    EXPECT_TRUE(policy);
    of.policy = *policy;
    loop.track(of);
    start();
  }

  void set_calendar(sys_seconds wall) {
    wall_ = wall;
    since_ = clock.now();
  }

 private:
  sys_seconds wall_{};
  TimePoint since_{};
};

sys_seconds at(unsigned month_of_2026, unsigned day_of_month, hours hour) {
  return sys_days(2026y / month(month_of_2026) / day(day_of_month)) + hour;
}

TEST_F(LoopWithFloors, TheyBeginAtTheSameHourOfTheWallBeforeAndAfterEachChangeOfTheClocks) {
  const struct {
    sys_seconds begins;
    const char* when;
  } days[] = {{at(3, 28, 7h), "winter, the last day"},
              {at(3, 29, 6h), "summer, the first day"},
              {at(10, 24, 6h), "summer, the last day"},
              {at(10, 25, 7h), "winter, the first day"}};
  for (const auto& day : days) {
    set_calendar(day.begins - 10s);
    run_load(0, 6s);
    EXPECT_TRUE(target.calls.empty() || asked().back() != 2) << day.when;
    run_load(0, 8s);
    ASSERT_FALSE(target.calls.empty()) << day.when;
    EXPECT_EQ(asked().back(), 2) << day.when;
    FakePeer replica(FakePeer::sidecar("r1"));
    ready(replica);
    set_calendar(day.begins + 1h);
    run_load(0, 150s);  // a window after it was ready, and the next turn
    EXPECT_EQ(asked().back(), 0) << day.when << ": and end an hour later";
    loop.left(replica, "closed", false);
    clock.advance(2s);
  }
}

}  // namespace
}  // namespace pilotlight::autoscaler
