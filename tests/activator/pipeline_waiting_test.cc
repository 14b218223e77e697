// A request without a place: what wakes, bounds and ends its wait.
#include "tests/activator/pipeline_fixture.h"

namespace pilotlight::activator {
namespace {

using namespace std::chrono_literals;
using test::FakeServer;
using test::RawClient;

TEST_F(PipelineTest, ASleepingRevisionPokesAndItsRequestsAreServedOnceItIsAwake) {
  RawClient& a = client(kGet);
  RawClient& b = client(kGet);
  ASSERT_TRUE(until([&] { return parked() == 2 && pokes_ > 0; }));
  first_.automatic = kOk;
  endpoints({&first_}, 10);
  ASSERT_TRUE(until([&] { return a.got("ok") && b.got("ok"); }));
  EXPECT_EQ(pokes_, 1);
  EXPECT_EQ(stories_, 1);
  EXPECT_EQ(count(Outcome::answered), 2u);
}

TEST_F(PipelineTest, SentOneAfterAnotherTheyReachTheAppInThatOrder) {
  constexpr int kRequests = 4;
  for (int i = 0; i < kRequests; ++i) {
    client("GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: iris.default.localhost\r\n\r\n");
    ASSERT_TRUE(until([&] { return parked() == static_cast<std::size_t>(i + 1); }));
  }
  first_.automatic = kOk;
  endpoints({&first_});
  ASSERT_TRUE(until([&] { return first_.requests() == kRequests; }));
  std::size_t last = 0;
  for (int i = 0; i < kRequests; ++i) {
    const std::size_t at = first_[0].received.find("GET /" + std::to_string(i));
    ASSERT_NE(at, std::string::npos);
    EXPECT_GE(at, last);
    last = at;
  }
  EXPECT_EQ(first_.accepted(), 1u);
}

TEST_F(PipelineTest, ALongBodyWaitsForTheSidecarsPermitAndStaysRepeatableUntilThen) {
  endpoints({&first_, &second_});
  RawClient& c =
      client("POST / HTTP/1.1\r\nHost: iris.default.localhost\r\nContent-Length: 200000\r\n\r\n" +
             std::string(1000, 'a'));
  ASSERT_TRUE(until([&] { return first_.requests() + second_.requests() == 1; }));
  FakeServer& one = first_.requests() == 1 ? first_ : second_;
  FakeServer& other = first_.requests() == 1 ? second_ : first_;
  EXPECT_NE(one[0].received.find("Expect: 100-continue\r\n"), std::string::npos);
  EXPECT_EQ(one[0].received.find("aaa"), std::string::npos) << "no permit, no body";
  one.send(0, bounce("full"));
  ASSERT_TRUE(until([&] { return other.requests() == 1; }));
  c.send(std::string(199'000, 'b'));
  other.send(0, "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(until([&] { return other[0].received.size() > 200'000; }));
  other.send(0, kOk);
  ASSERT_TRUE(until([&] { return c.got("ok"); }));
  EXPECT_FALSE(c.got("100 Continue")) << "the client did not ask for one";
}

TEST_F(PipelineTest, AParkedClientThatLeavesIsGoneAtOnceAndNeverSent) {
  RawClient& stays = client(kGet);
  RawClient& leaves =
      client("POST / HTTP/1.1\r\nHost: iris.default.localhost\r\nContent-Length: 9\r\n\r\nunread");
  ASSERT_TRUE(until([&] { return parked() == 2; }));
  leaves.close();
  ASSERT_TRUE(until([&] { return parked() == 1; }));
  EXPECT_EQ(revisions_.report().at(0).load.in_flight, 1u) << "its share of the demand went too";
  first_.automatic = kOk;
  endpoints({&first_}, 5);
  ASSERT_TRUE(until([&] { return stays.got("ok"); }));
  EXPECT_EQ(first_.requests(), 1u);
  EXPECT_EQ(count(Outcome::client_left), 1u);
}

TEST_F(PipelineTest, AtItsDeadlineAParkedRequestHearsWhy) {
  publish({make("iris", 50ms)});
  revisions_.set_failure(1, "replica iris-00001-abcde: exit code 3: no such model");
  RawClient& c = client(kGet);
  ASSERT_TRUE(until([&] { return c.got("no such model"); }));
  EXPECT_TRUE(c.got("HTTP/1.1 504 "));
  EXPECT_TRUE(c.got("Content-Type: application/problem+json\r\n"));
  EXPECT_TRUE(c.got("no replica of default/iris-00001 took the request within 0.05 s"));
  EXPECT_EQ(losses_, 1);
  c.send("GET / HTTP/1.1\r\nHost: nobody\r\n\r\n");
  ASSERT_TRUE(until([&] { return c.got("HTTP/1.1 404 "); })) << "the connection goes on";
}

TEST_F(PipelineTest, BeyondItsBoundARequestHearsWhyNothingWakes) {
  revisions_.set_failure(1, "the API does not take 1 replica: no GPU (HTTP 403)");
  for (int i = 0; i < 4; ++i) client(kGet);
  ASSERT_TRUE(until([&] { return parked() == 4; }));
  RawClient& c = client(kGet);
  ASSERT_TRUE(until([&] { return c.got("as many as may; the cause: the API does not take 1"); }));
  EXPECT_TRUE(c.got("HTTP/1.1 503 "));
}

TEST_F(PipelineTest, ParkingSpendsTheResponseStartClockToo) {
  auto info = std::make_shared<RevisionInfo>(*make("iris", 60s));
  info->response_start_timeout = 50ms;
  publish({info});
  RawClient& c = client(kGet);
  ASSERT_TRUE(until([&] { return c.got("HTTP/1.1 504 "); }));
}

TEST_F(PipelineTest, BeyondTheBoundsARequestHearsWhichOne) {
  for (int i = 0; i < 4; ++i) client(kGet);
  ASSERT_TRUE(until([&] { return parked() == 4; }));
  RawClient& fifth = client(kGet);
  ASSERT_TRUE(until([&] { return fifth.got("4 requests of default/iris-00001 wait"); }));
  EXPECT_TRUE(fifth.got("HTTP/1.1 503 "));
  EXPECT_TRUE(fifth.got("Retry-After: 1\r\n"));
  EXPECT_EQ(count(Outcome::park_requests), 1u);
}

TEST_F(PipelineTest, UnreadBodiesCountAsBytesThatWait) {
  const std::string upload =
      "POST / HTTP/1.1\r\nHost: iris.default.localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 4; ++i) client(upload);
  ASSERT_TRUE(until([&] { return parked() == 4; }));
  clients_[0].close();
  ASSERT_TRUE(until([&] { return parked() == 3; }));
  client(kGet);
  ASSERT_TRUE(until([&] { return parked() == 4; })) << "without a body it is small";
  clients_[1].close();
  ASSERT_TRUE(until([&] { return parked() == 3; }));
  client(upload);
  ASSERT_TRUE(until([&] { return parked() == 4; }));
  clients_[2].close();
  clients_[4].close();
  ASSERT_TRUE(until([&] { return parked() == 2; }));
}

TEST_F(PipelineTest, ADeletedRevisionEndsWhatWaitsForIt) {
  RawClient& c = client(kGet);
  ASSERT_TRUE(until([&] { return parked() == 1; }));
  revisions_.set_routes(std::make_shared<RouteTable>());
  revisions_.retire(iris_->id);
  ASSERT_TRUE(until([&] { return c.got("was deleted while the request waited"); }));
  ASSERT_TRUE(until([&] { return revisions_.report().empty(); }));
}

TEST_F(PipelineTest, WhenTheProcessStopsWhatWaitsHearsIt) {
  RawClient& c = client(kGet);
  ASSERT_TRUE(until([&] { return parked() == 1; }));
  pipeline_.close_connections();
  shard_.run_for(5ms);
  EXPECT_EQ(parked(), 1u) << "a drain lets it wait on";
  pipeline_.stop();
  ASSERT_TRUE(until([&] { return c.got("shutting down\n"); }));
}

TEST_F(PipelineTest, AnEarlyAnswerBehindThePermitIsPassedOnThoughTheSidecarHasClosed) {
  endpoints({&first_});
  RawClient& c =
      client("POST / HTTP/1.1\r\nHost: iris.default.localhost\r\nContent-Length: 200000\r\n\r\n" +
             std::string(1000, 'a'));
  ASSERT_TRUE(until([&] { return first_.requests() == 1; }));
  // All of it arrives at once: the permit, what became of it, and the end of the connection.
  first_.send(0,
              "HTTP/1.1 100 Continue\r\n\r\n"
              "HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nlarge");
  first_.reset(0);
  ASSERT_TRUE(until([&] { return c.ended(); }));
  EXPECT_TRUE(c.got("HTTP/1.1 413 ")) << c.received();
  EXPECT_TRUE(c.got("large")) << c.received();
}

}  // namespace
}  // namespace pilotlight::activator
