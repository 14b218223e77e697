#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "autoscaler/loop.h"
#include "tests/autoscaler/fake_peer.h"
#include "tests/support/sim_clock.h"

namespace pilotlight::autoscaler {

/// An API that does what it is told, or fails as often as `failures` says.
struct FakeTarget final : ScaleTarget {
  Task<PatchAnswer> set_replicas(std::string, std::string deployment, std::int32_t n) override {
    PatchAnswer answer;
    if (refusal) {
      answer = *refusal;
    } else if (failures > 0) {
      --failures;
      answer.status = 409;
      answer.error = FlowError::conflict;
    } else if (missing) {
      answer.status = 404;
      answer.error = FlowError::not_found;
    } else {
      answer.status = 200;
      calls.emplace_back(deployment, n);
      if (on_call) on_call();
    }
    co_return answer;
  }
  Task<> set_costs(std::string, std::vector<PodCost> wanted) override {
    costs.push_back(std::move(wanted));
    co_return;
  }
  std::vector<std::vector<PodCost>> costs;
  std::vector<std::pair<std::string, std::int32_t>> calls;
  std::function<void()> on_call;
  std::optional<PatchAnswer> refusal;  ///< As long as it is there.
  int failures = 0;
  bool missing = false;
};

/// A Loop with an API, an activator, and the time in our hands.
class LoopTest : public ::testing::Test {
 protected:
  LoopTest() { clock.advance(std::chrono::seconds(1000)); }

  ~LoopTest() override {
    loop.close();
    clock.settle();
    EXPECT_EQ(scope.size(), 0U);
  }

  void start() { scope.spawn(loop.run()); }

  SubjectView view(std::int32_t replicas, std::int64_t generation = 1) {
    SubjectView out;
    out.key = key;
    out.service = "iris";
    out.deployment = "iris-00001-deployment";
    out.replicas = replicas;
    out.generation = generation;
    out.policy.container_concurrency = 4;
    out.policy.initial_scale = 0;
    return out;
  }

  void poke(std::uint32_t parked) {
    wire::Poke frame;
    frame.revision = key;
    frame.parked = parked;
    loop.received(activator, frame);
    clock.settle();
  }

  void ready(FakePeer& sidecar) {
    loop.joined(sidecar);
    wire::Ready frame;
    frame.epoch = sidecar.hello().epoch;
    frame.capacity = 4;
    loop.received(sidecar, frame);
  }

  /// Four reports a second for `length`, with that many requests in flight; the API's echo of what
  /// was asked for follows at once.
  void run_load(std::uint32_t in_flight, Duration length) {
    for (Duration passed{}; passed < length; passed += kReportPeriod) {
      clock.advance(kReportPeriod);
      stats.revision = key;
      stats.epoch = activator.hello().epoch;
      stats.load.at_us += 250'000;
      stats.load.concurrency_us += 250'000ULL * in_flight;
      stats.load.in_flight = in_flight;
      loop.received(activator, stats);
    }
  }

  std::vector<std::int32_t> asked() const {
    std::vector<std::int32_t> numbers;
    for (const auto& [deployment, n] : target.calls) numbers.push_back(n);
    return numbers;
  }

  static constexpr std::chrono::milliseconds kReportPeriod{250};

  const wire::RevisionKey key{"default", "iris-00001"};
  asio::io_context io{1};
  test::SimClock clock{io};
  Scope scope{io.get_executor()};
  std::mt19937_64 random{7};
  FakeTarget target;
  Loop loop{scope, clock, 42, target, random};
  FakePeer activator{FakePeer::activator()};
  std::deque<FakePeer> sidecars;
  wire::Stats stats;
};

}  // namespace pilotlight::autoscaler
