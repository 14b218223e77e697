#include "local/pod_status.h"

#include <gtest/gtest.h>

namespace pilotlight::local {
namespace {

using kube::Json;

ReplicaSpec a_spec() {
  ReplicaSpec spec;
  spec.address = "127.1.2.10";
  return spec;
}

Json ready_condition(const Json& status) {
  for (const Json& condition : status["conditions"]) {
    if (condition["type"] == "Ready") return condition;
  }
  return Json();
}

TEST(PodStatus, AReadyReplicaIsRunningAndReady) {
  ReplicaFacts facts;
  facts.state = ReplicaFacts::State::running;
  facts.ready = true;
  facts.app_pid = 10;
  facts.sidecar_pid = 11;
  const Json status = pod_status(a_spec(), facts, "now");
  EXPECT_EQ(status["phase"], "Running");
  EXPECT_EQ(status["podIP"], "127.1.2.10");
  EXPECT_EQ(ready_condition(status)["status"], "True");
  EXPECT_EQ(status["containerStatuses"][0]["name"], "user-container");
  EXPECT_TRUE(status["containerStatuses"][0]["state"].contains("running"));
  EXPECT_TRUE(status["containerStatuses"][0]["lastState"].empty());
}

TEST(PodStatus, TheLastFailureStaysWhereOthersFindTheCause) {
  ReplicaFacts facts;
  facts.state = ReplicaFacts::State::waiting;
  facts.restarts = 2;
  facts.retry_in = std::chrono::seconds(4);
  ReplicaExit exit;
  exit.role = "app";
  exit.code = 3;
  exit.lines = {"loading", "no such model"};
  facts.last_exit = exit;
  const Json status = pod_status(a_spec(), facts, "now");
  const Json app = status["containerStatuses"][0];
  EXPECT_EQ(app["restartCount"], 2);
  EXPECT_EQ(app["state"]["waiting"]["reason"], "CrashLoopBackOff");
  EXPECT_EQ(app["lastState"]["terminated"]["exitCode"], 3);
  EXPECT_EQ(app["lastState"]["terminated"]["message"], "loading\nno such model");
  EXPECT_EQ(ready_condition(status)["message"], "app exited with 3: no such model");
  EXPECT_TRUE(status["containerStatuses"][1]["lastState"].empty());
}

TEST(PodStatus, ASignalIsToldAsKubernetesDoes) {
  ReplicaFacts facts;
  ReplicaExit exit;
  exit.role = "sidecar";
  exit.by_signal = true;
  exit.code = 9;
  facts.last_exit = exit;
  const Json terminated =
      pod_status(a_spec(), facts, "now")["containerStatuses"][1]["lastState"]["terminated"];
  EXPECT_EQ(terminated["exitCode"], 137);
  EXPECT_EQ(terminated["signal"], 9);
}

TEST(ReplicaExit, TellsItsStoryInOneLine) {
  ReplicaExit exit;
  exit.role = "app";
  exit.code = 3;
  EXPECT_EQ(exit.story(), "app exited with 3");
  exit.by_signal = true;
  exit.code = 9;
  EXPECT_EQ(exit.story(), "app was killed by signal 9");
  exit.text = "exec x: No such file or directory";
  EXPECT_EQ(exit.story(), "app: exec x: No such file or directory");
}

}  // namespace
}  // namespace pilotlight::local
