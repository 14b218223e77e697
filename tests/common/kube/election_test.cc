#include "common/kube/election.h"

#include <string>

#include <gtest/gtest.h>

namespace pilotlight::kube {
namespace {

using namespace std::chrono_literals;
using Step = Election::Step;

constexpr TimePoint kStart{1000s};
constexpr std::chrono::system_clock::time_point kWall{1'800'000'000s + 42us};

/// The API server's side of a Lease: optimistic writes, a version for each.
class Server {
 public:
  [[nodiscard]] const std::optional<LeaseRecord>& lease() const { return lease_; }

  /// What a replica wants to write; taken when it knows the newest version.
  std::optional<LeaseRecord> write(const Json& spec, const std::string& version) {
    if ((lease_ ? lease_->resource_version : "") != version) return std::nullopt;
    Json object = {{"metadata", {{"resourceVersion", std::to_string(++version_)}}}, {"spec", spec}};
    lease_ = read_lease(object);
    return lease_;
  }

 private:
  std::optional<LeaseRecord> lease_;
  int version_ = 0;
};

Election::Params params(std::string identity) {
  Election::Params p;
  p.identity = std::move(identity);
  return p;
}

/// One round of a replica that reaches the server at once.
void turn(Election& replica, Server& server, TimePoint now) {
  replica.seen(server.lease(), now);
  const Step step = replica.next(now);
  if (step == Step::wait) return;
  const auto taken = server.write(replica.spec_for(step, kWall), replica.resource_version());
  if (taken) {
    replica.wrote(*taken, now, now);
  } else {
    replica.failed(now);
  }
}

TEST(Election, WaitsUntilItKnowsWhetherThereIsALease) {
  const Election replica(params("a"));
  EXPECT_EQ(replica.next(kStart), Step::wait);
  EXPECT_EQ(replica.due(kStart), TimePoint::max());
}

TEST(Election, CreatesTheLeaseAndRenewsIt) {
  Server server;
  Election a(params("a"));
  turn(a, server, kStart);
  EXPECT_TRUE(a.leading(kStart));
  EXPECT_EQ(server.lease()->holder, "a");
  EXPECT_EQ(a.due(kStart), kStart + 1250ms);
  EXPECT_EQ(a.next(kStart + 1249ms), Step::wait);
  EXPECT_EQ(a.next(kStart + 1250ms), Step::renew);
  for (Duration t = 0s; t < 60s; t += 50ms) {
    turn(a, server, kStart + t);
    ASSERT_TRUE(a.leading(kStart + t));
  }
  EXPECT_EQ(server.lease()->transitions, 0);
  EXPECT_LE(std::stoi(server.lease()->resource_version), 49) << "a write each 1.25 s";
}

TEST(Election, AnotherTakesTheLeaseOfOneThatDiedWithinItsDuration) {
  Server server;
  Election a(params("a"));
  Election b(params("b"));
  turn(a, server, kStart);
  TimePoint now = kStart;
  for (; now < kStart + 10s; now += 50ms) {
    turn(a, server, now);
    turn(b, server, now);
    ASSERT_FALSE(b.leading(now));
  }
  const TimePoint death = now;
  while (!b.leading(now) && now < death + 10s) turn(b, server, now += 50ms);
  EXPECT_LE(now - death, 4s);
  EXPECT_GE(now - death, 4s - 1250ms);
  ASSERT_TRUE(b.vacant_since());
  EXPECT_LE(*b.vacant_since(), death) << "it was not heard of any more";
  EXPECT_GE(*b.vacant_since(), death - 1300ms);
  EXPECT_EQ(server.lease()->transitions, 1);
}

TEST(Election, OneThatCannotRenewStopsLeadingBeforeAnybodyElseCan) {
  Server server;
  Election a(params("a"));
  Election b(params("b"));
  turn(a, server, kStart);
  b.seen(server.lease(), kStart);
  // From here on `a` reaches nobody; `b` does.
  TimePoint now = kStart;
  while (!b.leading(now)) {
    ASSERT_LT(now, kStart + 10s);
    now += 10ms;
    if (a.next(now) == Step::renew) a.failed(now);
    turn(b, server, now);
    ASSERT_FALSE(a.leading(now) && b.leading(now));
  }
  EXPECT_FALSE(a.leading(now));
}

TEST(Election, AWriteCountsFromItsBeginNotFromItsAnswer) {
  Server server;
  Election a(params("a"));
  a.seen(std::nullopt, kStart);
  const auto taken = server.write(a.spec_for(Step::create, kWall), "");
  ASSERT_TRUE(taken);
  a.wrote(*taken, kStart, kStart + 2s);
  EXPECT_TRUE(a.leading(kStart + 2400ms));
  EXPECT_FALSE(a.leading(kStart + 2500ms));
}

TEST(Election, ALeaseThatWasGivenBackIsTakenAtOnce) {
  Server server;
  Election a(params("a"));
  Election b(params("b"));
  turn(a, server, kStart);
  b.seen(server.lease(), kStart);
  ASSERT_TRUE(server.write(a.released(kWall), a.resource_version()));
  turn(b, server, kStart + 100ms);
  EXPECT_TRUE(b.leading(kStart + 100ms));
  a.seen(server.lease(), kStart + 100ms);
  EXPECT_FALSE(a.leading(kStart + 100ms));
  EXPECT_EQ(a.holder(), "b");
  EXPECT_EQ(b.vacant_since(), kStart + 100ms) << "when it saw that";
  EXPECT_EQ(a.vacant_since(), std::nullopt) << "there was no lease";
}

TEST(Election, TheOneBeforeIsKnownThoughTheWatchIsFasterThanTheAnswer) {
  Server server;
  Election a(params("a"));
  Election b(params("b"));
  turn(a, server, kStart);
  b.seen(server.lease(), kStart + 10ms);
  const TimePoint later = kStart + 5s;
  const auto taken = server.write(b.spec_for(Step::take, kWall), b.resource_version());
  ASSERT_TRUE(taken);
  b.seen(server.lease(), later + 1ms);
  b.wrote(*taken, later, later + 2ms);
  ASSERT_TRUE(b.leading(later + 2ms));
  EXPECT_EQ(b.vacant_since(), kStart + 10ms);
}

TEST(Election, OfTwoThatWriteAtOnceOneLeads) {
  Server server;
  Election a(params("a"));
  Election b(params("b"));
  a.seen(std::nullopt, kStart);
  b.seen(std::nullopt, kStart);
  const auto first = server.write(a.spec_for(a.next(kStart), kWall), a.resource_version());
  const auto second = server.write(b.spec_for(b.next(kStart), kWall), b.resource_version());
  ASSERT_TRUE(first);
  ASSERT_FALSE(second);
  a.wrote(*first, kStart, kStart);
  b.failed(kStart);
  EXPECT_TRUE(a.leading(kStart));
  EXPECT_EQ(b.next(kStart + 249ms), Step::wait);
  turn(b, server, kStart + 250ms);
  EXPECT_FALSE(b.leading(kStart + 250ms));
}

TEST(Election, ItsOwnOldLeaseIsRenewedAndNotWaitedFor) {
  Server server;
  Election before(params("a"));
  turn(before, server, kStart);
  Election restarted(params("a"));
  restarted.seen(server.lease(), kStart + 1s);
  EXPECT_FALSE(restarted.leading(kStart + 1s)) << "not before it has written";
  EXPECT_EQ(restarted.next(kStart + 1s), Step::renew);
  turn(restarted, server, kStart + 1s);
  EXPECT_TRUE(restarted.leading(kStart + 1s));
}

TEST(Election, ALongerLeaseOfAnotherVersionIsRespected) {
  LeaseRecord other;
  other.holder = "older";
  other.duration = 15s;
  Election a(params("a"));
  a.seen(other, kStart);
  EXPECT_EQ(a.due(kStart), kStart + 15s);
}

TEST(Election, WritesWhatPeopleAndOtherClientsRead) {
  Election a(params("10.0.0.7:9444"));
  LeaseRecord dead;
  dead.holder = "10.0.0.9:9444";
  dead.transitions = 3;
  a.seen(dead, kStart);
  EXPECT_EQ(a.spec_for(Step::take, kWall), Json::parse(R"({
    "holderIdentity": "10.0.0.7:9444", "leaseDurationSeconds": 4, "leaseTransitions": 4,
    "acquireTime": "2027-01-15T08:00:00.000042Z", "renewTime": "2027-01-15T08:00:00.000042Z"})"));
}

TEST(Election, ReadsALeaseOfAnybody) {
  const LeaseRecord none = read_lease(Json::parse(R"({"spec": {"holderIdentity": 5}})"));
  EXPECT_EQ(none, LeaseRecord());
}

}  // namespace
}  // namespace pilotlight::kube
