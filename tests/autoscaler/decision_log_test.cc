#include "autoscaler/decision_log.h"

#include <gtest/gtest.h>

namespace pilotlight::autoscaler {
namespace {

LoggedDecision decision(std::int32_t from, std::int32_t desired, Reason reason = Reason::load) {
  LoggedDecision out;
  out.seen.replicas = from;
  out.decision.desired = desired;
  out.decision.reason = reason;
  return out;
}

TEST(DecisionLog, KeepsWhatChangedSomethingOrHadAnotherReason) {
  DecisionLog log;
  const wire::RevisionKey key{"a", "b"};
  log.add(key, decision(1, 1));
  log.add(key, decision(1, 1));
  log.add(key, decision(1, 1, Reason::idle));
  log.add(key, decision(1, 2));
  log.add(key, decision(2, 2));
  EXPECT_EQ(log.of(key).size(), 3U);
}

TEST(DecisionLog, IsBoundedPerRevisionAndInTotal) {
  DecisionLog log;
  for (int revision = 0; revision < 700; ++revision) {
    const wire::RevisionKey key{"a", std::to_string(revision)};
    for (std::int32_t i = 0; i < 20; ++i) log.add(key, decision(i, i + 1));
    EXPECT_LE(log.of(key).size(), 16U);
  }
  EXPECT_EQ(log.size(), 10'000U);
  log.forget(wire::RevisionKey{"a", "49"});
  EXPECT_LT(log.size(), 10'000U);
  EXPECT_TRUE(log.of(wire::RevisionKey{"a", "49"}).empty());
}

}  // namespace
}  // namespace pilotlight::autoscaler
