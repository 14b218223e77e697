#include "local/api/server.h"

#include <string>
#include <utility>

#include <boost/asio/write.hpp>

#include "common/kube/watcher.h"
#include "tests/common/control/loop_fixture.h"
#include "tests/local/api/objects.h"

namespace pilotlight::local {
namespace {

using control::Answer;
using control::Ask;
using kube::kDeployments;
using kube::kPods;

constexpr const char* kIris = "/apis/apps/v1/namespaces/default/deployments/iris";
constexpr const char* kDeploymentsPath = "/apis/apps/v1/namespaces/default/deployments";

class ApiServerTest : public pilotlight::test::LoopTest {
 protected:
  void SetUp() override {
    const auto bound = server_.listen(any_port());
    ASSERT_TRUE(bound.has_value());
    at_ = *bound;
  }
  void TearDown() override { run(server_.stop()); }

  static ApiServer::Options options() {
    ApiServer::Options options;
    options.token = "secret";
    options.own_pages = own_page;
    return options;
  }
  static Task<> own_page(const control::Request& request, control::Reply& reply) {
    const Result<> sent = co_await reply.send(200, "text/plain", "own " + request.path);
    static_cast<void>(sent);
  }

  Answer call(std::string method, std::string target, std::string body = "",
              std::string type = "application/json") {
    Ask what;
    what.method = std::move(method);
    what.target = std::move(target);
    what.body = std::move(body);
    what.headers["Content-Type"] = std::move(type);
    what.headers["Authorization"] = "Bearer secret";
    auto got = run(control::ask(executor(), clock_, at_, std::move(what), soon()));
    EXPECT_TRUE(got.has_value());
    return got ? std::move(*got) : Answer();
  }
  Json get(std::string target) { return Json::parse(call("GET", std::move(target)).body); }
  void create(const Json& object) {
    EXPECT_EQ(call("POST", kDeploymentsPath, object.dump()).status, 201u);
  }

  ApiStore store_{42, 1000};
  ApiServer server_{executor(), clock_, store_, options()};
  control::Endpoint at_;
};

TEST_F(ApiServerTest, TokenIsNeededInHeaderOrPath) {
  const auto status = [this](std::string target, std::string authorization) {
    Ask what;
    what.target = std::move(target);
    if (!authorization.empty()) what.headers["Authorization"] = std::move(authorization);
    return run(control::ask(executor(), clock_, at_, std::move(what), soon()))->status;
  };
  EXPECT_EQ(status(kDeploymentsPath, ""), 401u);
  EXPECT_EQ(status(kDeploymentsPath, "Bearer wrong"), 401u);
  EXPECT_EQ(status(kDeploymentsPath, "Bearer secretx"), 401u);
  EXPECT_EQ(status(kDeploymentsPath, "Bearer secret"), 200u);
  EXPECT_EQ(status(std::string("/t/secret") + kDeploymentsPath, ""), 200u);
  EXPECT_EQ(status(std::string("/t/wrong") + kDeploymentsPath, "Bearer secret"), 401u);
  EXPECT_EQ(status("/healthz", ""), 200u);
  EXPECT_EQ(status("/version", ""), 200u);
  EXPECT_EQ(status("/t/secret/api", ""), 200u);
  EXPECT_EQ(status("/pilotlight/status", ""), 401u);
}

TEST_F(ApiServerTest, OwnPagesAreServedBehindTheToken) {
  EXPECT_EQ(call("GET", "/t/secret/pilotlight/status").body, "own /pilotlight/status");
}

TEST_F(ApiServerTest, ObjectsAreMadeReadChangedAndDeleted) {
  create(test::deployment("iris", 2));
  const Json object = get(kIris);
  EXPECT_EQ(object["spec"]["replicas"], 2);
  const Json list = get(kDeploymentsPath);
  EXPECT_EQ(list["kind"], "DeploymentList");
  EXPECT_EQ(list["items"].size(), 1u);
  EXPECT_EQ(get("/apis/apps/v1/deployments?labelSelector=app%3Dother")["items"].size(), 0u);

  Json changed = object;
  changed["spec"]["replicas"] = 3;
  EXPECT_EQ(call("PUT", kIris, changed.dump()).status, 200u);
  const Answer stale = call("PUT", kIris, changed.dump());
  EXPECT_EQ(stale.status, 409u);
  EXPECT_EQ(Json::parse(stale.body)["reason"], "Conflict");

  const Answer gone = call("DELETE", kIris);
  EXPECT_EQ(gone.status, 200u);
  EXPECT_EQ(Json::parse(gone.body)["status"], "Success");
  const Json missing = get(kIris);
  EXPECT_EQ(missing["message"], "deployments.apps \"iris\" not found");
  EXPECT_EQ(missing["details"]["kind"], "deployments");
}

TEST_F(ApiServerTest, ScaleReadsAndWritesTheReplicasOnly) {
  create(test::deployment("iris", 1));
  const std::string path = std::string(kIris) + "/scale";
  EXPECT_EQ(get(path)["spec"]["replicas"], 1);
  EXPECT_EQ(get(path)["status"]["selector"], "app=iris");
  const auto patched =
      call("PATCH", path, R"({"spec":{"replicas":4}})", "application/merge-patch+json");
  EXPECT_EQ(patched.status, 200u);
  EXPECT_EQ(Json::parse(patched.body)["kind"], "Scale");
  EXPECT_EQ((*store_.find(kDeployments, "default", "iris"))["spec"]["replicas"], 4);

  Json scale = get(path);
  scale["spec"].erase("replicas");  // how Go writes a zero
  EXPECT_EQ(call("PUT", path, scale.dump()).status, 200u);
  EXPECT_EQ((*store_.find(kDeployments, "default", "iris"))["spec"]["replicas"], 0);
  EXPECT_EQ(call("PUT", path, scale.dump()).status, 409u) << "a version that is not the newest";
  const auto bad =
      call("PATCH", path, R"({"spec":{"replicas":-1}})", "application/merge-patch+json");
  EXPECT_EQ(bad.status, 422u);
  EXPECT_EQ(Json::parse(bad.body)["details"]["kind"], "Scale");
}

TEST_F(ApiServerTest, StatusIsWrittenThroughItsSubresource) {
  create(test::deployment("iris"));
  const char* patch = R"({"status":{"replicas":3},"spec":{"replicas":9}})";
  const auto done =
      call("PATCH", std::string(kIris) + "/status", patch, "application/merge-patch+json");
  EXPECT_EQ(done.status, 200u);
  const Json object = get(kIris);
  EXPECT_EQ(object["status"]["replicas"], 3);
  EXPECT_EQ(object["spec"]["replicas"], 1);
}

TEST_F(ApiServerTest, RefusesByNameWhatItDoesNotDo) {
  create(test::deployment("iris"));
  EXPECT_EQ(call("PATCH", kIris, "{}", "application/apply-patch+yaml").status, 415u);
  EXPECT_EQ(call("DELETE", std::string(kIris) + "?dryRun=All").status, 400u);
  EXPECT_EQ(call("POST", kIris, "{}").status, 405u);
  EXPECT_EQ(call("POST", "/apis/apps/v1/deployments", "{}").status, 405u);
  EXPECT_EQ(call("POST", kDeploymentsPath, "not json").status, 400u);
  EXPECT_EQ(call("POST", kDeploymentsPath, R"({"kind":"Pod"})").status, 400u);
  EXPECT_EQ(call("PUT", kIris, R"({"metadata":{"name":"other"}})").status, 400u);
  EXPECT_EQ(call("GET", "/apis/batch/v1/jobs").status, 404u);
  EXPECT_EQ(call("GET", std::string(kDeploymentsPath) + "?labelSelector=a%3Db%3Dc").status, 400u);
  EXPECT_EQ(call("POST", kDeploymentsPath, "x", "application/vnd.kubernetes.protobuf").status,
            415u);
}

TEST_F(ApiServerTest, CollectionIsDeletedBySelector) {
  create(test::deployment("iris"));
  create(test::deployment("echo"));
  const std::string target = std::string(kDeploymentsPath) + "?labelSelector=app%3Diris";
  EXPECT_EQ(call("DELETE", target).status, 200u);
  EXPECT_EQ(store_.list(kDeployments, "").size(), 1u);
}

/// Reads a watch until it has `count` lines; returns "TYPE name" or "TYPE code" of each.
class WatchTest : public ApiServerTest {
 protected:
  void open(control::LineStream& lines, std::string query) {
    Ask what;
    what.target = "/t/secret" + std::string(kDeploymentsPath) + "?watch=true" + query;
    const auto status = run(lines.open(at_, std::move(what), soon()));
    ASSERT_TRUE(status.has_value());
    ASSERT_EQ(*status, 200u);
  }
  std::string next(control::LineStream& lines) {
    const auto line = run(lines.read_line(soon()));
    if (!line) return line.error().message();
    if (!line->has_value()) return "end";
    const Json event = Json::parse(**line);
    const auto code = kube::integer(event, {"object", "code"});
    return event["type"].get<std::string>() + " " +
           (code ? std::to_string(*code) : std::string(kube::name_of(event["object"])));
  }
};

TEST_F(WatchTest, BeginsWithAllThereIsAndGoesOn) {
  create(test::deployment("iris"));
  control::LineStream lines(executor(), clock_);
  open(lines, "");
  EXPECT_EQ(next(lines), "ADDED iris");
  create(test::deployment("echo"));
  EXPECT_EQ(next(lines), "ADDED echo");
  ASSERT_TRUE(store_.scale("default", "iris", 5).has_value());
  EXPECT_EQ(next(lines), "MODIFIED iris");
  ASSERT_TRUE(store_.remove_now(kDeployments, "default", "iris").has_value());
  EXPECT_EQ(next(lines), "DELETED iris");
}

TEST_F(WatchTest, ResumesFromAVersion) {
  create(test::deployment("iris"));
  const std::string version = std::to_string(store_.version());
  create(test::deployment("echo"));
  control::LineStream lines(executor(), clock_);
  open(lines, "&resourceVersion=" + version);
  EXPECT_EQ(next(lines), "ADDED echo");
}

TEST_F(WatchTest, ObjectThatBeginsOrStopsToMatchIsAddedOrDeleted) {
  create(test::deployment("iris"));
  control::LineStream lines(executor(), clock_);
  open(lines, "&labelSelector=tier%3Dgold");
  const auto label = [this](const char* patch) {
    EXPECT_EQ(call("PATCH", kIris, patch, "application/merge-patch+json").status, 200u);
  };
  label(R"({"metadata":{"labels":{"tier":"gold"}}})");
  EXPECT_EQ(next(lines), "ADDED iris");
  label(R"({"metadata":{"labels":{"tier":"lead"}}})");
  EXPECT_EQ(next(lines), "DELETED iris");
}

TEST_F(WatchTest, TooOldVersionIsAnErrorEventAndTheEnd) {
  control::LineStream lines(executor(), clock_);
  open(lines, "&resourceVersion=5");
  EXPECT_EQ(next(lines), "ERROR 410");
  EXPECT_EQ(next(lines), "end");
  control::LineStream future(executor(), clock_);
  open(future, "&resourceVersion=999999999");
  EXPECT_EQ(next(future), "ERROR 410");
}

TEST_F(WatchTest, TimeoutEndsItInOrderWithABookmark) {
  control::LineStream lines(executor(), clock_);
  open(lines, "&timeoutSeconds=1&allowWatchBookmarks=true");
  EXPECT_EQ(next(lines), "BOOKMARK ");
  EXPECT_EQ(next(lines), "end");
}

TEST_F(WatchTest, InitialEventsEndWithTheirBookmark) {
  create(test::deployment("iris"));
  control::LineStream lines(executor(), clock_);
  open(lines,
       "&sendInitialEvents=true&allowWatchBookmarks=true"
       "&resourceVersionMatch=NotOlderThan");
  EXPECT_EQ(next(lines), "ADDED iris");
  const auto line = run(lines.read_line(soon()));
  ASSERT_TRUE(line.has_value() && line->has_value());
  EXPECT_NE((*line)->find("k8s.io/initial-events-end"), std::string::npos);
}

TEST_F(WatchTest, StopEndsWatchesAtOnce) {
  control::LineStream lines(executor(), clock_);
  open(lines, "");
  run(server_.stop());
  const auto line = run(lines.read_line(soon()));
  EXPECT_FALSE(line.has_value() && line->has_value());
}

}  // namespace
}  // namespace pilotlight::local
