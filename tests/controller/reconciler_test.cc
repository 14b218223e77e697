// The loop that writes, against an API server of which the test says every answer.
#include "controller/reconciler.h"

#include <functional>
#include <memory>
#include <utility>

#include "controller/admission.h"
#include "tests/common/control/loop_fixture.h"
#include "tests/common/control/scripted_server.h"

namespace pilotlight::controller {
namespace {

using test::ScriptedServer;

/// A Service that has been taken over, and what Kubernetes had made of its selector before: what is
/// left to do is to remove the Endpoints object, then the slice.
class ReconcilerTest : public test::LoopTest {
 protected:
  void SetUp() override {
    server_ = std::make_unique<ScriptedServer>(
        executor(), scope_, [this](const std::string& request) { return answer(request); });
    kube::Access access;
    access.endpoint = server_->at();
    client_ = std::make_unique<kube::Client>(executor(), clock_, std::move(access));
    reconciler_ = std::make_unique<Reconciler>(
        Reconciler::Parts{*client_, executor(), clock_, deadlines_, random_},
        Key("system", "activator"));
    scope_.spawn(reconciler_->watch_services());
    scope_.spawn(reconciler_->watch_deployments());
    scope_.spawn(reconciler_->watch_slices());
    scope_.spawn(reconcile());
    reconciler_->lead(true);
  }
  void TearDown() override {
    reconciler_->stop();
    server_->stop();
    run_until([this] { return scope_.size() == 0; });
  }

  Task<> reconcile() {
    co_await reconciler_->run();
    ended_ = true;
  }
  std::string answer(const std::string& request) {
    const auto asks = [&](const char* what) { return request.find(what) < request.find("\r\n"); };
    if (asks("watch=true") && asks("/services") && !on_services.empty()) {
      if (reconciler_->left_alone().empty()) return ScriptedServer::answer(200, "");
      return ScriptedServer::answer(200, std::exchange(on_services, ""));
    }
    if (asks("watch=true")) return "HTTP/1.1 200 x\r\nContent-Length: 1000000\r\n\r\n";
    if (request.starts_with("DELETE")) {
      removals_.push_back(request);
      return on_removal(request);
    }
    if (!request.starts_with("GET")) return ScriptedServer::answer(200, body_of(request));
    if (asks("/services")) return list(service_);
    return list(asks("/deployments") ? kDeployment : kSlice);
  }
  static std::string list(const std::string& item) {
    return ScriptedServer::answer(200,
                                  R"({"metadata":{"resourceVersion":"9"},"items":[)" + item + "]}");
  }
  static std::string body_of(const std::string& request) {
    return request.substr(request.find("\r\n\r\n") + 4);
  }

  static constexpr const char* kDeployment =
      R"({"metadata":{"name":"iris","namespace":"team","uid":"d-1",
                      "labels":{"pilotlight.dev/inject":"true"}},
          "spec":{"template":{"metadata":{"labels":{"app":"iris"}},"spec":{"containers":[
            {"name":"m","ports":[{"containerPort":8000}]}]}}}})";
  static constexpr const char* kSlice =
      R"({"metadata":{"name":"flower-x1","namespace":"team","uid":"e-1","resourceVersion":"5",
                      "labels":{"kubernetes.io/service-name":"flower",
            "endpointslice.kubernetes.io/managed-by":"endpointslice-controller.k8s.io"}},
          "addressType":"IPv4","ports":[],"endpoints":[]})";
  static constexpr const char* kHeadless =  // one line: an event of a watch is one
      R"({"metadata":{"name":"flower","namespace":"team","uid":"s-1","resourceVersion":"7"},)"
      R"("spec":{"clusterIP":"None","selector":{"app":"iris"},)"
      R"("ports":[{"port":80,"targetPort":8000}]}})";
  std::string service_ =
      R"({"metadata":{"name":"flower","namespace":"team","uid":"s-1","resourceVersion":"7",
                      "labels":{"pilotlight.dev/managed":"true"},
                      "annotations":{"pilotlight.dev/activator-port":"20007",
                        "pilotlight.dev/original-selector":"{\"app\":\"iris\"}"}},
          "spec":{"clusterIP":"10.96.0.9","ports":[{"port":80,"targetPort":8000}]}})";

  std::function<std::string(const std::string& request)> on_removal = [](const std::string&) {
    return ScriptedServer::answer(200, "{}");
  };
  std::string on_services;  // what the watch of Services brings once one is left alone
  std::vector<std::string> removals_;
  bool ended_ = false;
  DeadlineQueue deadlines_;
  std::mt19937_64 random_{7};
  std::unique_ptr<ScriptedServer> server_;
  std::unique_ptr<kube::Client> client_;
  std::unique_ptr<Reconciler> reconciler_;
};

TEST_F(ReconcilerTest, WhatIsRemovedIsWhatWasSeenAndARefusalIsTriedAgain) {
  on_removal = [this](const std::string& request) {
    const bool first =
        request.find("/endpointslices/") != std::string::npos && removals_.size() == 2;
    return ScriptedServer::answer(first ? 409 : 200, "{}");
  };
  run_until([this] { return removals_.size() == 4; });
  EXPECT_TRUE(removals_[0].starts_with("DELETE /api/v1/namespaces/team/endpoints/flower "));
  for (const std::size_t slice : {1U, 3U}) {
    EXPECT_TRUE(removals_[slice].starts_with("DELETE /apis/discovery.k8s.io/v1/")) << slice;
    const auto options = kube::parse_json(body_of(removals_[slice]));
    ASSERT_TRUE(options) << slice;
    EXPECT_EQ(kube::text(*options, {"preconditions", "uid"}), "e-1");
    EXPECT_EQ(kube::text(*options, {"preconditions", "resourceVersion"}), "5");
  }
  const Counts& writes = reconciler_->writes();
  run_until([&writes] { return writes.contains({"endpointslices", "taken"}); });
}

TEST_F(ReconcilerTest, AServiceThatIsGoneIsNotLeftAlone) {
  service_ = kHeadless;
  on_services = R"({"type":"DELETED","object":)" + service_ + "}\n";
  run_until([this] { return !reconciler_->left_alone().empty(); });
  EXPECT_NE(reconciler_->left_alone().begin()->second.find("headless"), std::string::npos);
  run_until([this] { return reconciler_->left_alone().empty(); });
}

TEST_F(ReconcilerTest, WhoeverLeadsNoLongerSpeaksOfNoService) {
  service_ = kHeadless;
  run_until([this] { return !reconciler_->left_alone().empty(); });
  reconciler_->lead(false);
  EXPECT_TRUE(reconciler_->left_alone().empty());
  reconciler_->lead(true);
  run_until([this] { return !reconciler_->left_alone().empty(); });
}

TEST_F(ReconcilerTest, WhoeverLeadsNoLongerLeavesTheRestOfAPlanToTheNext) {
  on_removal = [this](const std::string&) {
    reconciler_->lead(false);
    return ScriptedServer::answer(200, "{}");
  };
  run_until([this] { return reconciler_->writes().contains({"endpoints", "taken"}); });
  reconciler_->stop();
  run_until([this] { return ended_; });
  EXPECT_EQ(removals_.size(), 1U) << removals_.back();
}

}  // namespace
}  // namespace pilotlight::controller
