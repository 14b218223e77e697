#include "local/pod_status.h"

#include <utility>

#include <fmt/format.h>

namespace pilotlight::local {
namespace {

using kube::Json;
using State = ReplicaFacts::State;

std::string joined(const std::vector<std::string>& lines) {
  return fmt::format("{}", fmt::join(lines, "\n"));
}

Json condition(const char* type, bool good, const std::string& since) {
  return Json{{"type", type}, {"status", good ? "True" : "False"}, {"lastTransitionTime", since}};
}

std::string back_off_text(const ReplicaFacts& facts) {
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(facts.retry_in);
  return fmt::format("back-off {} s before the next start", left.count());
}

Json container_status(const char* name, const char* role, int pid, const ReplicaFacts& facts,
                      const std::string& since) {
  Json status{{"name", name},         {"image", ""},         {"imageID", ""},
              {"ready", facts.ready}, {"started", pid != 0}, {"restartCount", facts.restarts}};
  if (facts.state == State::waiting) {
    status["state"]["waiting"] =
        Json{{"reason", "CrashLoopBackOff"}, {"message", back_off_text(facts)}};
  } else if (pid != 0) {
    status["state"]["running"] = Json{{"startedAt", since}};
  } else {
    status["state"]["waiting"] = Json{{"reason", "ContainerCreating"}};
  }
  status["lastState"] = Json::object();
  if (facts.last_exit && facts.last_exit->role == role) {
    const ReplicaExit& exit = *facts.last_exit;
    Json terminated{{"exitCode", exit.by_signal ? 128 + exit.code : exit.code},
                    {"reason", exit.code == 0 && !exit.by_signal ? "Completed" : "Error"},
                    {"finishedAt", since},
                    {"message", exit.text.empty() ? joined(exit.lines) : exit.text}};
    if (exit.by_signal) terminated["signal"] = exit.code;
    status["lastState"]["terminated"] = std::move(terminated);
  }
  return status;
}

/// Why it is not ready, in one line.
std::string unready_message(const ReplicaFacts& facts) {
  if (facts.state == State::terminating || facts.state == State::ended) return "terminating";
  if (!facts.last_exit) return "the container has not become ready yet";
  std::string message = facts.last_exit->story();
  if (!facts.last_exit->lines.empty()) message += ": " + facts.last_exit->lines.back();
  return message;
}

}  // namespace

Json pod_status(const ReplicaSpec& spec, const ReplicaFacts& facts, const std::string& since) {
  const bool running = facts.app_pid != 0 || facts.state == State::terminating;
  Json ready = condition("Ready", facts.ready, since);
  Json containers_ready = condition("ContainersReady", facts.ready, since);
  if (!facts.ready) {
    ready["reason"] = containers_ready["reason"] = "ContainersNotReady";
    ready["message"] = containers_ready["message"] = unready_message(facts);
  }
  return Json{
      {"phase", running || facts.restarts > 0 ? "Running" : "Pending"},
      {"hostIP", "127.0.0.1"},
      {"podIP", spec.address},
      {"podIPs", Json::array({Json{{"ip", spec.address}}})},
      {"startTime", since},
      {"conditions",
       Json::array({condition("PodScheduled", true, since), condition("Initialized", true, since),
                    std::move(ready), std::move(containers_ready)})},
      {"containerStatuses",
       Json::array({container_status("user-container", "app", facts.app_pid, facts, since),
                    container_status("queue-proxy", "sidecar", facts.sidecar_pid, facts, since)})}};
}

Json failed_pod_status(const std::string& reason, const std::string& message) {
  return Json{{"phase", "Pending"}, {"reason", reason}, {"message", message}};
}

}  // namespace pilotlight::local
