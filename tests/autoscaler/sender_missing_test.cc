// Activators that serve on and cannot be heard, and what the decisions make of it.

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "autoscaler/loop.h"
#include "autoscaler/status.h"
#include "tests/autoscaler/loop_world.h"

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

class SenderMissingTest : public LoopTest {
 protected:
  SenderMissingTest() {
    SubjectView four = view(4);
    four.policy.max_scale_down_rate = 10;  // from four to none in one turn
    loop.track(four);
    loop.deployments_known();
    loop.joined(activator);
    loop.joined(other);
    for (const char* name : {"r1", "r2", "r3", "r4"}) {
      ready(sidecars.emplace_back(FakePeer::sidecar(name)));
    }
    sent.resize(2);
    received.resize(sidecars.size());
    start();
  }

  /// Each activator that is heard has `in_flight` requests, and there are twice as many in all.
  void serve(std::uint32_t in_flight, Duration length) {
    for (Duration passed{}; passed < length; passed += kReportPeriod) {
      clock.advance(kReportPeriod);
      if (first_heard) report(activator, sent[0], in_flight, false);
      if (second_heard) report(other, sent[1], in_flight, false);
      for (std::size_t i = 0; i < sidecars.size(); ++i) {
        const auto share = static_cast<std::uint32_t>((2 * in_flight + i) / sidecars.size());
        report(sidecars[i], received[i], share, true);
      }
    }
  }
  void report(FakePeer& from, LoadSnapshot& load, std::uint32_t in_flight, bool proxied) {
    // One that was not heard meanwhile has counted on.
    const auto now_us = static_cast<std::uint64_t>(clock.now().time_since_epoch() / 1us);
    const std::uint64_t passed_us = load.at_us == 0 ? 250'000 : now_us - load.at_us;
    load.at_us = now_us;
    load.concurrency_us += passed_us * in_flight;
    if (proxied) load.proxied_concurrency_us += passed_us * in_flight;
    load.in_flight = in_flight;
    if (proxied) load.proxied_in_flight = in_flight;
    wire::Stats frame;
    frame.revision = key;
    frame.epoch = from.hello().epoch;
    frame.load = load;
    loop.received(from, frame);
  }
  void leave_first() {
    first_heard = false;
    loop.left(activator, "cut off", false);
  }
  void leave_second() {
    second_heard = false;
    loop.left(other, "cut off", false);
  }
  bool missing() {
    return nlohmann::json::parse(status_json(loop)).at("revisions").at(0).at("sender_missing");
  }
  double stable() const { return loop.subjects().at(key)->last.stable; }

  static FakePeer second_activator() {
    wire::Hello hello = FakePeer::activator(2);
    hello.replica = "activator-2";
    return FakePeer(hello);
  }
  FakePeer other{second_activator()};
  std::vector<LoadSnapshot> sent;
  std::vector<LoadSnapshot> received;
  bool first_heard = true;
  bool second_heard = true;
};

TEST_F(SenderMissingTest, AllOfThem) {
  serve(5, 100s);
  ASSERT_TRUE(target.calls.empty()) << "four replicas are what ten requests need";
  ASSERT_FALSE(missing());
  leave_first();
  leave_second();
  serve(5, 150s);
  EXPECT_TRUE(target.calls.empty());
  EXPECT_NEAR(stable(), 10, 1e-6);
  EXPECT_TRUE(missing());
}

TEST_F(SenderMissingTest, OneOfTwo) {
  serve(5, 100s);
  leave_second();
  serve(5, 150s);
  EXPECT_TRUE(target.calls.empty());
  EXPECT_NEAR(stable(), 10, 1e-6);
}

TEST_F(SenderMissingTest, LoadThatGrowsMeanwhileIsFollowed) {
  serve(5, 100s);
  leave_first();
  leave_second();
  serve(10, 60s);
  ASSERT_FALSE(target.calls.empty());
  EXPECT_GT(target.calls.front().second, 4);
}

TEST_F(SenderMissingTest, OneThatComesBackIsNotCountedTwice) {
  serve(5, 100s);
  leave_second();
  serve(5, 5s);
  loop.joined(other);
  second_heard = true;
  serve(5, 20s);
  EXPECT_NEAR(stable(), 10, 0.01);
  EXPECT_FALSE(missing());
  EXPECT_TRUE(target.calls.empty());
}

TEST_F(SenderMissingTest, WithoutLoadItSleepsAllTheSame) {
  serve(5, 100s);
  leave_second();
  serve(5, 20s);
  serve(0, 200s);
  ASSERT_FALSE(target.calls.empty());
  EXPECT_EQ(target.calls.back().second, 0);
  EXPECT_FALSE(missing());
}

}  // namespace
}  // namespace pilotlight::autoscaler
