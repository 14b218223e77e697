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

TEST_F(ClusterLogs, TheServersOwnWordsAreTold) {
  const std::string words = R"({"kind":"Status","message":"pods is forbidden: no \u001b list"})";
  for (const bool follow : {false, true}) {
    const Told told =
        run([&words](const std::string&) { return ScriptedServer::answer(403, words); }, follow);
    EXPECT_EQ(told.err, "pilotlight: the pods of team/iris: pods is forbidden: no \\x1b list\n");
  }
}

TEST_F(ClusterLogs, AListThatIsTooOldToGoOnBeginsAnewOnce) {
  std::vector<std::string> asked;
  const auto script = [&](bool again) {
    return [&asked, again](const std::string& request) {
      asked.push_back(request.substr(0, request.find(" HTTP/1.1")));
      if (asked.size() % 2 == 0) return ScriptedServer::answer(410, "{}");
      const bool paged = again || asked.size() < 3;
      return ScriptedServer::answer(
          200, paged ? R"({"metadata":{"continue":"next"},"items":[]})" : R"({"items":[]})");
    };
  };
  Told told = run(script(false), false);
  EXPECT_EQ(asked.size(), 3U);
  EXPECT_NE(told.err.find("no pod of"), std::string::npos) << told.err;
  EXPECT_EQ(asked.back().find("continue"), std::string::npos) << asked.back();
  asked.clear();
  told = run(script(true), false);
  EXPECT_EQ(asked.size(), 4U);
  EXPECT_NE(told.err.find("too old"), std::string::npos) << told.err;
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

std::string pods(const std::string& status, const std::string& more = "") {
  return ScriptedServer::answer(
      200, R"({"metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"iris-1",)"
           R"("namespace":"team","uid":"u","resourceVersion":"5"},"spec":{"containers":[)"
           R"({"name":"app"}]},"status":{"containerStatuses":[{"name":"app",)" +
               status + "}]}}" + more + "]}");
}

/// An answer that goes on after `text`, or is cut behind it.
std::string part(const std::string& text, bool cut) {
  return "HTTP/1.1 200 x\r\nContent-Length: 1000000\r\n\r\n" + text +
         (cut ? std::string(1, ScriptedServer::kCut) : "");
}

bool asks(const std::string& request, std::string_view what) {
  return request.find(what) < request.find(" HTTP/1.1");
}

TEST_F(ClusterLogs, ALogThatBreaksGoesOnWhereItWas) {
  std::vector<std::string> logs;
  const Told told = run(
      [&](const std::string& request) {
        if (!asks(request, "/log?")) {
          return asks(request, "watch=true") ? part("", false) : pods(R"("state":{"running":{}})");
        }
        logs.push_back(request.substr(0, request.find(" HTTP/1.1")));
        if (logs.size() == 1) {
          return part("2026-11-25T08:00:00.1Z a\n2026-11-25T08:00:00.2Z b\n2026-11-", true);
        }
        if (logs.size() == 2) return std::string();  // the server is away for a while
        if (logs.size() == 3) {
          return part(
              "2026-11-25T08:00:00.1Z a\n2026-11-25T08:00:00.2Z b\n"
              "2026-11-25T08:00:00.3Z c\n",
              true);
        }
        end();
        return part("", false);
      },
      true);
  EXPECT_EQ(told.out, "[team/iris-1 app] a\n[team/iris-1 app] b\n[team/iris-1 app] c\n");
  ASSERT_EQ(logs.size(), 4U);
  EXPECT_EQ(logs[0].find("sinceTime"), std::string::npos);
  EXPECT_NE(logs[1].find("sinceTime=2026-11-25T08%3A00%3A00Z"), std::string::npos) << logs[1];
  EXPECT_NE(told.err.find("the log of team/iris-1 app: "), std::string::npos) << told.err;
}

TEST_F(ClusterLogs, ALogThatEndsWhileTheContainerRunsGoesOn) {
  int logs = 0;
  const Told told = run(
      [&](const std::string& request) {
        if (!asks(request, "/log?")) {
          return asks(request, "watch=true") ? part("", false) : pods(R"("state":{"running":{}})");
        }
        if (++logs == 1) return ScriptedServer::answer(200, "2026-11-25T08:00:00.1Z a\n");
        if (logs == 2) {
          return ScriptedServer::answer(200,
                                        "2026-11-25T08:00:00.1Z a\n2026-11-25T08:00:00.2Z b\n");
        }
        end();
        return part("", false);
      },
      true);
  EXPECT_EQ(told.out, "[team/iris-1 app] a\n[team/iris-1 app] b\n");
  EXPECT_EQ(told.err, "") << "nothing has failed";
}

TEST_F(ClusterLogs, ALogThatNobodyMayReadEndsTheCommand) {
  const Told told = run(
      [](const std::string& request) {
        if (asks(request, "watch=true")) return part("", false);
        if (!asks(request, "/log?")) return pods(R"("state":{"running":{}})");
        return ScriptedServer::answer(403, R"({"message":"pods/log is forbidden"})");
      },
      true);
  EXPECT_EQ(told.code, 1);
  EXPECT_EQ(told.err, "pilotlight: the log of team/iris-1 app: pods/log is forbidden\n");
}

TEST_F(ClusterLogs, ALogThatIsRefusedIsToldInTheServersWords) {
  const Told told = run(
      [](const std::string& request) {
        if (!asks(request, "/log?")) return pods(R"("state":{"running":{}})");
        return ScriptedServer::answer(400, R"({"message":"container app is waiting to start"})");
      },
      false);
  EXPECT_EQ(told.code, 1);
  EXPECT_EQ(told.err,
            "pilotlight: the log of team/iris-1 app: container app is waiting to start\n");
}

TEST_F(ClusterLogs, ALogThatBreaksIsLeftAloneOnceItsPodIsGone) {
  int logs = 0;
  int watches = 0;
  int until_gone = 0;
  run(
      [&](const std::string& request) {
        if (asks(request, "/log?")) {
          ++logs;
          return std::string();
        }
        if (!asks(request, "watch=true")) return pods(R"("state":{"running":{}})");
        ++watches;
        if (watches == 2) until_gone = logs;  // the first one, and what it told, has been read
        if (watches == 1) {
          return ScriptedServer::answer(
              200, R"({"type":"DELETED","object":{"metadata":{"name":"iris-1","namespace":"team",)"
                   R"("uid":"u","resourceVersion":"8"}}})"
                   "\n");
        }
        if (watches == 6) end();  // by then the log would have been asked for again
        return ScriptedServer::answer(500, "{}");
      },
      true);
  EXPECT_LE(logs, until_gone + 1) << "one may have been on its way";
}

}  // namespace
}  // namespace pilotlight::cli
