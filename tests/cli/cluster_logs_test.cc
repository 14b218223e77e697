// `logs` of a cluster against a server that refuses, cuts and goes on as a real one does.
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/this_coro.hpp>
#include <gtest/gtest.h>

#include "cli/cluster.h"
#include "tests/common/control/scripted_server.h"

namespace pilotlight::cli {
namespace {

using test::ScriptedServer;

/// One command over one scripted API server.
class ClusterLogs : public ::testing::Test {
 protected:
  /// What the command has printed, and its exit code; none if the test has ended it.
  struct Told {
    std::optional<int> code;
    std::string out;
    std::string err;
  };

  Told run(ScriptedServer::Script script, bool follow) {
    shard_ = std::make_unique<Shard>(0);
    ScriptedServer server(shard_->executor(), shard_->scope(), std::move(script));
    kube::Access access;
    access.endpoint = server.at();
    kube::Client client(shard_->executor(), shard_->clock(), std::move(access));
    Cluster cluster{*shard_, client, "pilotlight-system"};
    Told told;
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    shard_->scope().spawn(carry_out(cluster, follow, told.code));
    shard_->run();
    told.out = ::testing::internal::GetCapturedStdout();
    told.err = ::testing::internal::GetCapturedStderr();
    return told;
  }

  /// As the user's Ctrl-C.
  void end() {
    shard_->post([this] {
      shard_->scope().cancel(asio::cancellation_type::terminal);
      shard_->finish();
    });
  }

 private:
  Task<> carry_out(Cluster& cluster, bool follow, std::optional<int>& code) {
    co_await asio::this_coro::throw_if_cancelled(false);
    const int got = co_await cluster_logs(cluster, "team/iris", follow);
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return;
    code = got;
    end();
  }

  std::unique_ptr<Shard> shard_;  // of the run at hand
};

TEST_F(ClusterLogs, AServerThatWillNeverAnswerEndsTheCommandWithTheReason) {
  const std::string html = "<html>sign in</html>";
  const std::map<std::string, std::string> reasons = {
      {ScriptedServer::answer(401, "{}"), "wrong or missing credentials"},
      {ScriptedServer::answer(403, "{}"), "wrong or missing credentials"},
      {ScriptedServer::answer(404, "{}"), "not found"},
      {ScriptedServer::answer(200, html), "malformed"}};
  for (const auto& [answer, reason] : reasons) {
    const auto script = [&answer = answer](const std::string&) { return answer; };
    const Told followed = run(script, true);
    EXPECT_EQ(followed.code, 1) << answer;
    EXPECT_EQ(followed.err.find("pilotlight: the pods of team/iris: "), 0U) << followed.err;
    EXPECT_NE(followed.err.find(reason), std::string::npos) << followed.err;
    EXPECT_EQ(run(script, false).err, followed.err);
  }
}

TEST_F(ClusterLogs, AnOutageIsToldOnceAndTriedAgain) {
  int lists = 0;
  const Told told = run(
      [&](const std::string&) {
        if (++lists == 4) end();
        return ScriptedServer::answer(500, "{}");
      },
      true);
  EXPECT_EQ(told.err, "pilotlight: the pods of team/iris: unexpected HTTP status; trying again\n");
}

}  // namespace
}  // namespace pilotlight::cli
