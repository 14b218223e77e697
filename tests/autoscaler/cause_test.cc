// Why a revision does not wake, as its activators and /status are told.

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "autoscaler/status.h"
#include "common/wire/codec.h"
#include "common/wire/utf8.h"
#include "tests/autoscaler/loop_world.h"

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;
using kube::Json;

constexpr const char* kHpa = "HorizontalPodAutoscaler hpa";
constexpr const char* kScheduled =
    R"({"conditions": [{"type": "PodScheduled", "status": "True"}]})";
constexpr const char* kUnschedulable =
    R"({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                        "message": "no GPU"}]})";
constexpr const char* kRunning =
    R"({"containerStatuses": [{"name": "user-container", "state": {"running": {}}}]})";

class Cause : public LoopTest {
 protected:
  void SetUp() override {
    loop.track(view(0));
    loop.joined(activator);
    start();
  }
  /// What the activator was told last.
  [[nodiscard]] std::string told() const {
    return activator.endpoints.empty() ? "nothing" : activator.endpoints.back().cause;
  }
  [[nodiscard]] std::string shown() {
    const Json page = Json::parse(status_json(loop));
    return page.at("revisions").at(0).value("cause", "");
  }
  void refuse(unsigned status, std::string message) {
    PatchAnswer answer;
    answer.status = status;
    answer.error = status == 403 ? FlowError::unauthorized : FlowError::unexpected_status;
    answer.message = std::move(message);
    target.refusal = answer;
  }
  void pod(const char* status, const std::string& revision = "iris-00001") {
    Json object = Json::parse(R"({"metadata": {"name": "p", "namespace": "default"}})");
    object["metadata"]["labels"]["serving.knative.dev/revision"] = revision;
    object["status"] = Json::parse(status);
    loop.pod_changed(view_pod(object));
    last = view_pod(object);
  }
  void warn(const std::string& reason, const std::string& message, const std::string& at = "") {
    WarningView warning;
    warning.name_space = "default";
    warning.pod = "p";
    warning.reason = reason;
    warning.text = reason + ": " + message;
    warning.at = at;
    loop.pod_warned(warning);
  }

  const Rivals::Name deployment{"default", "iris-00001-deployment"};
  PodView last;
};

TEST_F(Cause, WhoElseScalesItIsNamedWhileItHasNoPod) {
  EXPECT_EQ(told(), "");
  loop.rival(deployment, kHpa);
  EXPECT_EQ(told(),
            "HorizontalPodAutoscaler hpa scales this Deployment, pilotlight leaves it alone");
  EXPECT_EQ(shown(), told());
  pod(kScheduled);
  EXPECT_EQ(told(), "") << "the other one has woken it";
  loop.pod_gone(last);
  EXPECT_NE(told(), "");
  loop.rival(deployment, "");
  EXPECT_EQ(told(), "");
  EXPECT_EQ(shown(), "");
}

TEST_F(Cause, WhatTheApiSaysToARefusedPatchIsToldUntilItIsTaken) {
  refuse(403, "admission webhook \"policy\" denied the request: no GPU for you");
  poke(1);
  EXPECT_EQ(told(),
            "the API does not take 1 replica: admission webhook \"policy\" denied the request: no "
            "GPU for you (HTTP 403)");
  EXPECT_EQ(shown(), told());
  const Json page = Json::parse(status_json(loop));
  EXPECT_EQ(page.at("revisions").at(0).at("patch").at("message"), target.refusal->message);
  const std::size_t sets = activator.endpoints.size();
  clock.advance(10s);
  EXPECT_EQ(activator.endpoints.size(), sets) << "the same text is not said again and again";
  target.refusal.reset();
  clock.advance(3s);
  EXPECT_EQ(told(), "");
}

TEST_F(Cause, ATroubleThatMayPassIsNoCauseBeforeTheThirdAttempt) {
  target.failures = 2;
  poke(1);
  clock.advance(1s);
  EXPECT_EQ(target.calls.size(), 1U);
  for (const wire::Endpoints& set : activator.endpoints) EXPECT_EQ(set.cause, "");
}

TEST_F(Cause, AnApiThatIsDownForLongerIsOne) {
  refuse(503, "");
  poke(1);
  clock.advance(1s);
  EXPECT_EQ(told(), "the API does not take 1 replica: unexpected HTTP status (HTTP 503)");
}

TEST_F(Cause, FewerReplicasThatAreNotTakenKeepNothingFromWaking) {
  loop.track(view(3, 2));
  refuse(403, "no");
  run_load(0, 100s);
  const Json page = Json::parse(status_json(loop));
  ASSERT_TRUE(page.at("revisions").at(0).contains("patch"));
  EXPECT_EQ(told(), "");
}

TEST_F(Cause, WhatPodsSayComesFirstThenTheQuotaThenWhoScalesThenThePatch) {
  refuse(403, "no");
  poke(1);
  EXPECT_EQ(told(), "the API does not take 1 replica: no (HTTP 403)");
  loop.rival(deployment, kHpa);
  EXPECT_EQ(told().substr(0, 27), kHpa);
  SubjectView limited = view(0);
  limited.refused = "FailedCreate: exceeded quota";
  loop.track(limited);
  EXPECT_EQ(told(), "FailedCreate: exceeded quota");
  pod(kUnschedulable);
  EXPECT_EQ(told(), "p: Unschedulable: no GPU");
}

TEST_F(Cause, AnActivatorThatJoinsLaterIsToldToo) {
  loop.rival(deployment, kHpa);
  FakePeer late{FakePeer::activator(2)};
  loop.joined(late);
  ASSERT_FALSE(late.endpoints.empty());
  EXPECT_EQ(late.endpoints.back().cause, told());
  loop.left(late, "closed", false);
}

TEST_F(Cause, ARevisionThatIsNotOursAnyMoreHasNone) {
  loop.rival(deployment, kHpa);
  loop.untrack(key);
  EXPECT_EQ(told(), "");
}

TEST_F(Cause, ActivatorsAreToldSoMuchOfItAndNoHalfCharacter) {
  std::string euros;
  while (euros.size() < 600) euros += "\xe2\x82\xac";
  refuse(403, euros);
  poke(1);
  EXPECT_LE(told().size(), 500U);
  EXPECT_GE(told().size(), 498U);
  EXPECT_TRUE(wire::encode(activator.endpoints.back()).has_value());
  EXPECT_TRUE(wire::is_utf8(told()));
}

TEST_F(Cause, TheLastWarningAboutAPodIsOneUntilThePodGetsFurther) {
  warn("FailedMount", "of a pod that nobody knows");
  EXPECT_EQ(told(), "");
  pod(kScheduled);
  EXPECT_EQ(told(), "");
  warn("FailedMount", "configmap \"models\" not found", "2026-11-29T21:00:05");
  EXPECT_EQ(told(), "p: FailedMount: configmap \"models\" not found");
  warn("FailedAttachVolume", "older", "2026-11-29T21:00:04");
  EXPECT_EQ(told(), "p: FailedMount: configmap \"models\" not found");
  warn("FailedAttachVolume", "in use", "2026-11-29T21:00:05");
  EXPECT_EQ(told(), "p: FailedAttachVolume: in use");
  pod(kRunning);
  EXPECT_EQ(told(), "") << "its volumes are there";
  warn("FailedMount", "late news", "2026-11-29T21:00:09");
  EXPECT_EQ(told(), "");
}

TEST_F(Cause, WhatConditionsAndContainersSayIsMoreThanAWarning) {
  pod(kScheduled);
  warn("FailedMount", "not yet");
  pod(R"({"conditions": [{"type": "PodScheduled", "status": "True"}],
          "containerStatuses": [{"name": "user-container",
                                 "state": {"waiting": {"reason": "ErrImagePull"}}}]})");
  EXPECT_EQ(told(), "p: ErrImagePull");
}

TEST_F(Cause, AWarningGoesWithItsPod) {
  pod(kScheduled);
  warn("FailedCreatePodSandBox", "no network");
  EXPECT_EQ(shown(), "p: FailedCreatePodSandBox: no network");
  loop.pod_gone(last);
  EXPECT_EQ(told(), "");
  pod(kScheduled);
  EXPECT_EQ(told(), "");
}

TEST_F(Cause, AWarningAboutAPodOfADeploymentThatIsNotKnownYetIsKept) {
  pod(kScheduled, "next-00001");
  warn("FailedMount", "no such secret");
  SubjectView next = view(1);
  next.key.revision = "next-00001";
  next.service = "next";
  next.deployment = "next-00001-deployment";
  loop.track(next);
  EXPECT_EQ(told(), "p: FailedMount: no such secret");
  EXPECT_EQ(activator.endpoints.back().revision, next.key);
}

}  // namespace
}  // namespace pilotlight::autoscaler
