#include "common/control/event_log.h"

#include <gtest/gtest.h>

#include "tests/support/sim_clock.h"

namespace pilotlight::control {
namespace {

using namespace std::chrono_literals;

/// Keeps what a handler answered.
class KeptReply final : public Reply {
 public:
  Task<Result<>> send(unsigned, std::string_view, std::string body) override {
    got = nlohmann::json::parse(body);
    co_return Result<>();
  }
  Task<Result<>> begin(unsigned, std::string_view) override { co_return Result<>(); }
  Task<Result<>> write(std::string) override { co_return Result<>(); }
  Task<Result<>> finish() override { co_return Result<>(); }

  std::optional<nlohmann::json> got;
};

class EventLogTest : public ::testing::Test {
 protected:
  void ask(KeptReply& reply, std::map<std::string, std::string> query) {
    scope_.spawn(serve(reply, std::move(query)));
    clock_.settle();
  }
  Task<> serve(KeptReply& reply, std::map<std::string, std::string> query) {
    Request request;
    request.query = std::move(query);
    co_await log_.serve(request, reply);
  }

  asio::io_context loop_{1};
  test::SimClock clock_{loop_};
  Scope scope_{loop_.get_executor()};
  EventLog log_{clock_, 7};
};

TEST_F(EventLogTest, GivesWhatIsNewerAtOnce) {
  clock_.advance(5us);
  log_.record("parked", {{"revision", "r"}});
  log_.record("served", {{"revision", "r"}, {"at_us", 42}});
  KeptReply all, newer;
  ask(all, {});
  ASSERT_TRUE(all.got);
  EXPECT_EQ((*all.got)["epoch"], "7");
  ASSERT_EQ((*all.got)["events"].size(), 2u);
  EXPECT_EQ((*all.got)["events"][0]["at_us"], 5);
  EXPECT_EQ((*all.got)["events"][1]["at_us"], 42);
  ask(newer, {{"after", "1"}, {"wait_ms", "1000"}});
  ASSERT_TRUE(newer.got);
  EXPECT_EQ((*newer.got)["events"][0]["kind"], "served");
}

TEST_F(EventLogTest, WaitsForTheNextOne) {
  KeptReply reply;
  ask(reply, {{"wait_ms", "1000"}});
  EXPECT_FALSE(reply.got);
  log_.record("parked", {});
  clock_.settle();
  ASSERT_TRUE(reply.got);
  EXPECT_EQ((*reply.got)["events"].size(), 1u);
}

TEST_F(EventLogTest, WaitEndsEmptyAtItsTimeAndIsBounded) {
  KeptReply short_wait, long_wait;
  ask(short_wait, {{"wait_ms", "1000"}});
  ask(long_wait, {{"wait_ms", "99999999"}});
  clock_.advance(1s);
  ASSERT_TRUE(short_wait.got);
  EXPECT_TRUE((*short_wait.got)["events"].empty());
  EXPECT_FALSE(long_wait.got);
  clock_.advance(29s);
  EXPECT_TRUE(long_wait.got);
}

TEST_F(EventLogTest, WatcherOfAnotherEpochStartsOver) {
  log_.record("parked", {});
  KeptReply reply;
  ask(reply, {{"after", "500"}, {"epoch", "6"}, {"wait_ms", "1000"}});
  ASSERT_TRUE(reply.got);
  EXPECT_EQ((*reply.got)["events"].size(), 1u);
}

TEST_F(EventLogTest, KeepsTheLast1024) {
  for (int i = 0; i < 1030; ++i) log_.record("decision", {});
  KeptReply reply;
  ask(reply, {});
  ASSERT_TRUE(reply.got);
  EXPECT_EQ((*reply.got)["events"].size(), 1024u);
  EXPECT_EQ((*reply.got)["events"][0]["seq"], 7);
}

TEST_F(EventLogTest, CloseEndsEveryWait) {
  KeptReply reply;
  ask(reply, {{"wait_ms", "1000"}});
  log_.close();
  clock_.settle();
  EXPECT_TRUE(reply.got);
}

}  // namespace
}  // namespace pilotlight::control
