// The client and the watcher against a server that refuses, cuts and pages as a real one does.
#include "common/kube/client.h"

#include <cstdio>
#include <fstream>
#include <functional>

#include "common/kube/watcher.h"
#include "tests/common/control/loop_fixture.h"
#include "tests/common/control/scripted_server.h"

namespace pilotlight::kube {
namespace {

using test::ScriptedServer;

class ClientTest : public test::LoopTest {
 protected:
  void TearDown() override {
    for (const auto& watcher : watchers_) watcher->close();
    server_->stop();
    run_until([this] { return scope_.size() == 0; });
  }

  void serve(ScriptedServer::Script script) {
    auto counted = [this, script = std::move(script)](const std::string& request) {
      requests_.push_back(request);
      return script(request);
    };
    server_ = std::make_unique<ScriptedServer>(executor(), scope_, std::move(counted));
    Access access;
    access.endpoint = server_->at();
    access.token = "fixed";
    client_ = std::make_unique<Client>(executor(), clock_, std::move(access));
  }
  /// Runs the loop for so long.
  void pass(Duration length) {
    const auto timer = clock_.make_timer();
    EXPECT_TRUE(run(timer->wait_until(clock_.now() + length)));
  }
  [[nodiscard]] std::string first_line(std::size_t request) const {
    return requests_.at(request).substr(0, requests_.at(request).find("\r\n"));
  }

  std::mt19937_64 random_{7};
  std::vector<std::string> requests_;
  std::unique_ptr<ScriptedServer> server_;
  std::unique_ptr<Client> client_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
};

TEST_F(ClientTest, AServerThatAsksForPatienceGetsIt) {
  serve([this](const std::string&) {
    if (requests_.size() == 1) return ScriptedServer::answer(429, "", "Retry-After: 0\r\n");
    if (requests_.size() == 2) return ScriptedServer::answer(503, "", "Retry-After: 0\r\n");
    return ScriptedServer::answer(200, R"({"items":[]})");
  });
  EXPECT_TRUE(run(client_->list(kPods, "", Selector(), soon())).has_value());
  EXPECT_EQ(requests_.size(), 3u);
}

TEST_F(ClientTest, PatienceEndsAtTheDeadlineAndIsNotForScales) {
  serve([](const std::string&) { return ScriptedServer::answer(429, "", "Retry-After: 60\r\n"); });
  EXPECT_EQ(run(client_->list(kPods, "", Selector(), soon())).error(), kThrottled);
  EXPECT_EQ(run(client_->patch_scale("a", "b", 1, soon())).error(), kThrottled);
  EXPECT_EQ(requests_.size(), 2u);
}

TEST_F(ClientTest, A500IsLeftToTheCaller) {
  serve([](const std::string&) { return ScriptedServer::answer(500, "{}"); });
  EXPECT_EQ(run(client_->get(kPods, "a", "b", soon())).error(),
            make_error_code(FlowError::unexpected_status));
  EXPECT_EQ(requests_.size(), 1u);
}

TEST_F(ClientTest, WhatARefusalSaidBelongsToItsErrorAlone) {
  serve([this](const std::string&) {
    if (requests_.size() > 1) return ScriptedServer::answer(500, "not JSON");
    return ScriptedServer::answer(403, R"({"message":"pods is forbidden"})");
  });
  const ErrorCode forbidden = run(client_->get(kPods, "a", "b", soon())).error();
  EXPECT_EQ(client_->refusal(forbidden), "pods is forbidden");
  EXPECT_EQ(client_->refusal(ErrorCode(asio::error::connection_reset)), "");
  const ErrorCode other = run(client_->get(kPods, "a", "b", soon())).error();
  EXPECT_EQ(client_->refusal(other), "") << "of the call before";
}

TEST_F(ClientTest, ApplyNamesItsManagerAndPartsHaveTheirPath) {
  serve([](const std::string&) { return ScriptedServer::answer(200, "{}"); });
  const Json object = Json::object();
  ASSERT_TRUE(run(client_->patch(kServices, "a", "b", PatchKind::apply, object, soon())));
  EXPECT_EQ(first_line(0),
            "PATCH /api/v1/namespaces/a/services/b?fieldManager=pilotlight&force=true HTTP/1.1");
  EXPECT_NE(requests_[0].find("Content-Type: application/apply-patch+yaml"), std::string::npos);
  EXPECT_NE(requests_[0].find("Authorization: Bearer fixed"), std::string::npos);
  ASSERT_TRUE(
      run(client_->patch_part(kPods, "a", "b", "status", PatchKind::strategic, object, soon())));
  EXPECT_EQ(first_line(1), "PATCH /api/v1/namespaces/a/pods/b/status HTTP/1.1");
}

TEST_F(ClientTest, ARemovalNamesTheObjectThatItMeans) {
  serve([this](const std::string&) {
    return ScriptedServer::answer(requests_.size() == 1 ? 409 : 200, "{}");
  });
  const Json seen = Json::parse(R"({"metadata":{"name":"b","uid":"u-1","resourceVersion":"7"}})");
  EXPECT_EQ(run(client_->remove(kServices, "a", "b", delete_options(seen), soon())).error(),
            make_error_code(FlowError::conflict));
  EXPECT_EQ(first_line(0), "DELETE /api/v1/namespaces/a/services/b HTTP/1.1");
  EXPECT_NE(requests_[0].find("Content-Type: application/json"), std::string::npos);
  const auto body = parse_json(requests_[0].substr(requests_[0].find("\r\n\r\n") + 4));
  ASSERT_TRUE(body);
  EXPECT_EQ(*body, Json::parse(R"({"apiVersion":"v1","kind":"DeleteOptions",
                                   "preconditions":{"uid":"u-1","resourceVersion":"7"}})"));
  ASSERT_TRUE(run(client_->remove(kServices, "a", "b", delete_options(Json()), soon())));
  EXPECT_TRUE(requests_[1].ends_with("\r\n\r\n")) << "whichever there is: " << requests_[1];
}

constexpr std::string_view kApplied = "kubectl.kubernetes.io/last-applied-configuration";

/// Notes names as they are told.
class Names final : public Watcher::Listener {
 public:
  void applied(const Json& object) override {
    told += "+" + std::string(name_of(object));
    EXPECT_EQ(find(object, {"metadata", "managedFields"}), nullptr);
    EXPECT_EQ(annotation_of(object, kApplied), "all") << "a writer would take it away";
    if (then) then();
  }
  void removed(const Json& object) override {
    told += "-" + std::string(name_of(object));
    EXPECT_EQ(annotation_of(object, kApplied), "") << "a copy of the whole object";
  }
  void synced() override { told += "."; }
  std::string told;
  std::function<void()> then;  ///< Behind each that was applied.
};

/// The time of another clock, and as much more as a test has let pass.
class AheadClock final : public Clock {
 public:
  explicit AheadClock(Clock& clock) : clock_(clock) {}

  [[nodiscard]] TimePoint now() const noexcept override { return clock_.now() + ahead; }
  [[nodiscard]] std::unique_ptr<Timer> make_timer() override {
    return std::make_unique<AheadTimer>(*this);
  }

  Duration ahead{};

 private:
  class AheadTimer final : public Timer {
   public:
    explicit AheadTimer(AheadClock& clock) : clock_(clock), timer_(clock.clock_.make_timer()) {}
    Task<bool> wait_until(TimePoint when) override {
      return timer_->wait_until(when - clock_.ahead);
    }
    void cancel() noexcept override { timer_->cancel(); }

   private:
    AheadClock& clock_;
    std::unique_ptr<Timer> timer_;
  };

  Clock& clock_;
};

class WatcherTest : public ClientTest {
 protected:
  void watch() {
    Watcher::What what;
    what.resource = kPods;
    watchers_.push_back(
        std::make_unique<Watcher>(*client_, watchers_clock_, std::move(what), names_, random_));
    scope_.spawn(watchers_.back()->run());
  }
  static std::string object(const std::string& name, int version) {
    return R"({"metadata":{"name":")" + name + R"(","namespace":"a","uid":"u)" + name +
           R"(","managedFields":[{}],"annotations":{")" + std::string(kApplied) +
           R"(":"all"},"resourceVersion":")" + std::to_string(version) + R"("}})";
  }
  static std::string list(const std::string& items, const std::string& more = "") {
    return ScriptedServer::answer(200, R"({"metadata":{"resourceVersion":"7","continue":")" + more +
                                           R"("},"items":[)" + items + "]}");
  }
  static bool is_watch(const std::string& request) {
    return request.find("watch=true") < request.find(" HTTP/1.1");
  }
  /// A watch that goes on after these lines.
  static std::string lines(const std::string& text) {
    return "HTTP/1.1 200 x\r\nContent-Length: 1000000\r\n\r\n" + text;
  }
  AheadClock watchers_clock_{clock_};
  Names names_;
};

TEST_F(WatcherTest, ListsInPagesAndSyncsBehindTheLast) {
  serve([this](const std::string& request) {
    if (is_watch(request)) return lines("");
    if (request.find("continue=next") == std::string::npos) return list(object("x", 1), "next");
    return list(object("y", 2));
  });
  watch();
  run_until([this] { return requests_.size() == 3; });
  EXPECT_EQ(names_.told, "+x+y.");
  EXPECT_NE(first_line(0).find("limit="), std::string::npos);
  EXPECT_NE(first_line(2).find("resourceVersion=7"), std::string::npos);
}

TEST_F(WatcherTest, APageThatIsTooOldBeginsAnewWithoutPages) {
  serve([this](const std::string& request) {
    if (is_watch(request)) return lines("");
    if (request.find("continue=next") != std::string::npos) {
      return ScriptedServer::answer(410, "{}");
    }
    const bool paged = request.find("limit=") != std::string::npos;
    return paged ? list(object("x", 1), "next") : list(object("y", 2));
  });
  watch();
  run_until([this] { return requests_.size() == 4; });
  EXPECT_EQ(names_.told, "+x+y-x.");
}

TEST_F(WatcherTest, ABookmarkIsWhereTheNextWatchBegins) {
  serve([this](const std::string& request) {
    if (!is_watch(request)) return list("");
    if (requests_.size() > 2) return lines("");
    return ScriptedServer::answer(
        200, R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"41"}}})"
             "\n");
  });
  watch();
  run_until([this] { return requests_.size() == 3; });
  EXPECT_NE(first_line(2).find("resourceVersion=41"), std::string::npos);
  EXPECT_EQ(names_.told, ".");
}

TEST_F(WatcherTest, AThrottledWatchWaitsAsLongAsItWasTold) {
  serve([this](const std::string& request) {
    if (!is_watch(request)) return list("");
    return ScriptedServer::answer(429, "", "Retry-After: 3600\r\n");
  });
  watch();
  run_until([this] { return requests_.size() == 2; });
  pass(std::chrono::milliseconds(200));
  EXPECT_EQ(requests_.size(), 2u);
}

TEST_F(WatcherTest, FailuresAreTriedAgainButNeverInAHotLoop) {
  serve([](const std::string&) { return ScriptedServer::answer(500, "{}"); });
  watch();
  pass(std::chrono::milliseconds(300));
  EXPECT_LE(requests_.size(), 12u);  // 20 ms doubling, halved by jitter at most
  run_until([this] { return requests_.size() >= 3; });
}

TEST_F(WatcherTest, AWatchThatWasLongInComingAndThenRefusedIsAFailureLikeAnyOther) {
  serve([this](const std::string& request) {
    if (!is_watch(request)) return list("");
    watchers_clock_.ahead += std::chrono::seconds(2);  // the server takes its time
    return ScriptedServer::answer(500, "{}");
  });
  watch();
  pass(std::chrono::milliseconds(300));
  EXPECT_LE(requests_.size(), 13u);
}

TEST_F(WatcherTest, AWatchThatHasLastedIsOpenedAgainSoon) {
  serve([this](const std::string& request) {
    if (!is_watch(request)) return list("");
    if (requests_.size() < 8) return ScriptedServer::answer(500, "{}");
    const std::string version = std::to_string(requests_.size());
    return ScriptedServer::answer(
        200, R"({"type":"ADDED","object":)" + object("x" + version, 9) + "}\n");
  });
  names_.then = [this] { watchers_clock_.ahead += std::chrono::seconds(2); };
  watch();
  run_until([this] { return requests_.size() >= 24; });  // 60 s are 12 pauses of the longest
}

TEST(RetryAfter, IsSecondsAndOnlyForWhoMayAsk) {
  using namespace std::chrono_literals;
  EXPECT_EQ(retry_after(429, "7"), Duration(7s));
  EXPECT_EQ(retry_after(429, "0"), Duration(0s));
  EXPECT_EQ(retry_after(429, ""), Duration(1s));
  EXPECT_EQ(retry_after(429, "soon"), Duration(1s));
  EXPECT_EQ(retry_after(429, "99999999999999999"), Duration(1h));
  EXPECT_EQ(retry_after(503, "2"), Duration(2s));
  EXPECT_EQ(retry_after(503, ""), std::nullopt);
  EXPECT_EQ(retry_after(500, ""), std::nullopt);
  EXPECT_EQ(retry_after(404, "2"), std::nullopt);
}

}  // namespace
}  // namespace pilotlight::kube
