#pragma once

#include <deque>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "autoscaler/loop.h"
#include "cli/sentences.h"
#include "tests/autoscaler/fake_peer.h"
#include "tests/support/sim_clock.h"

namespace pilotlight::cli {

/// The autoscaler itself under a clock moved by hand: a script says what activators, sidecars and
/// the API tell it, and the file that it writes is read back as `explain` tells it.
class ScriptedRun {
 public:
  ScriptedRun() {
    clock_.advance(std::chrono::seconds(1000));
    loop_.deployments_known();
    loop_.joined(activator_);
    scope_.spawn(loop_.run());
  }
  ~ScriptedRun() {
    loop_.close();
    clock_.settle();
    std::filesystem::remove(path_);
  }
  ScriptedRun(const ScriptedRun&) = delete;
  ScriptedRun& operator=(const ScriptedRun&) = delete;

  void deploy() {
    autoscaler::SubjectView view;
    view.key = key_;
    view.service = "iris";
    view.deployment = "iris-00001-deployment";
    view.policy.container_concurrency = 4;
    view.policy.initial_scale = 0;
    view.policy.stable_window = std::chrono::seconds(10);
    loop_.track(view);
  }
  void pass(Duration length) { clock_.advance(length); }
  /// The API does not take the next PATCH, with that status (0: no answer) and error.
  void fail_patch(unsigned status, FlowError error, Duration retry_after = Duration::zero(),
                  const char* message = "") {
    autoscaler::PatchAnswer answer;
    answer.status = status;
    answer.error = error;
    if (retry_after > Duration::zero()) answer.retry_after = retry_after;
    answer.message = message;
    target_.failures.push_back(answer);
  }

  /// A first request is parked and nothing runs.
  void park(std::uint32_t count) {
    wire::Poke frame;
    frame.revision = key_;
    frame.parked = count;
    loop_.received(activator_, frame);
    clock_.settle();
  }
  /// The wake's first answer, or the end of the first request's patience.
  void answer(Duration waited) {
    wire::Woken frame = woken(waited);
    frame.answered = true;
    loop_.received(activator_, frame);
  }
  void give_up(Duration waited) { loop_.received(activator_, woken(waited)); }

  void pod(const std::string& name, const char* status) {
    kube::Json pod = kube::Json::parse(R"({"metadata": {"namespace": "default",
        "labels": {"serving.knative.dev/revision": "iris-00001"}}})");
    pod["metadata"]["name"] = name;
    pod["status"] = kube::Json::parse(status);
    loop_.pod_changed(autoscaler::view_pod(pod));
    last_pod_ = pod;
  }
  /// Somebody else scales it.
  void leave_to(const std::string& who) {
    loop_.rival({key_.name_space, "iris-00001-deployment"}, who);
  }
  /// kubelet says something about a pod.
  void warn(const std::string& pod, const std::string& reason, const std::string& message) {
    autoscaler::WarningView warning;
    warning.name_space = key_.name_space;
    warning.pod = pod;
    warning.reason = reason;
    warning.text = reason + ": " + message;
    loop_.pod_warned(warning);
  }
  void remove_pod() { loop_.pod_gone(autoscaler::view_pod(last_pod_)); }

  void ready(const std::string& name, Duration listening, Duration ready) {
    auto& sidecar = sidecars_.emplace_back(autoscaler::FakePeer::sidecar(name));
    loop_.joined(sidecar);
    wire::Ready frame;
    frame.epoch = sidecar.hello().epoch;
    frame.capacity = 4;
    frame.listen_us = us(listening);
    frame.ready_us = us(ready);
    loop_.received(sidecar, frame);
  }
  /// The newest replica drains and ends.
  void drain_one() {
    autoscaler::FakePeer& sidecar = sidecars_.back();
    wire::NotReady frame;
    frame.epoch = sidecar.hello().epoch;
    frame.reason = wire::NotReadyReason::draining;
    loop_.received(sidecar, frame);
    loop_.left(sidecar, "closed", false);
    sidecars_.pop_back();
  }

  /// So many requests at once, and so many refused for want of room per second.
  void load(std::uint32_t in_flight, Duration length, std::uint64_t refused_per_second = 0) {
    constexpr std::chrono::milliseconds kPeriod{250};
    for (Duration passed{}; passed < length; passed += kPeriod) {
      clock_.advance(kPeriod);
      stats_.revision = key_;
      stats_.epoch = activator_.hello().epoch;
      stats_.load.at_us += us(kPeriod);
      stats_.load.concurrency_us += us(kPeriod) * in_flight;
      stats_.load.in_flight = in_flight;
      stats_.load.refusals[0] += refused_per_second / 4;
      loop_.received(activator_, stats_);
    }
  }

  /// "topic      sentence" of each line that is told, with the seconds since the start.
  [[nodiscard]] std::string told() const {
    std::ifstream file(path_);
    std::string out;
    for (std::string line; std::getline(file, line);) {
      const auto event = kube::parse_json(line);
      const std::string sentence = event ? sentence_of(*event) : "not JSON: " + line;
      if (sentence.empty()) continue;
      const double at = static_cast<double>(kube::integer(*event, {"at_ns"}).value_or(0)) / 1e9;
      out += fmt::format("{:>8.3f}  {:<10}  {}\n", at - 1000, topic_of(*event), sentence);
    }
    return out;
  }

 private:
  /// An API that does what it is told, after its failures.
  struct Target final : autoscaler::ScaleTarget {
    Task<autoscaler::PatchAnswer> set_replicas(std::string, std::string, std::int32_t) override {
      autoscaler::PatchAnswer answer;
      answer.status = 200;
      if (!failures.empty()) {
        answer = failures.front();
        failures.pop_front();
      }
      co_return answer;
    }
    std::deque<autoscaler::PatchAnswer> failures;
  };

  [[nodiscard]] static std::uint64_t us(Duration length) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(length).count());
  }
  [[nodiscard]] wire::Woken woken(Duration waited) const {
    wire::Woken frame;
    frame.revision = key_;
    frame.waited_us = us(waited);
    return frame;
  }

  const wire::RevisionKey key_{"default", "iris-00001"};
  const std::string path_ = (std::filesystem::temp_directory_path() /
                             fmt::format("pilotlight-story-{}.jsonl", ::getpid()))
                                .string();
  asio::io_context io_{1};
  test::SimClock clock_{io_};
  Scope scope_{io_.get_executor()};
  std::mt19937_64 random_{7};
  Target target_;
  autoscaler::DecisionFile file_{path_};
  autoscaler::Loop loop_{scope_, clock_, 42, target_, random_, &file_};
  autoscaler::FakePeer activator_{autoscaler::FakePeer::activator()};
  std::deque<autoscaler::FakePeer> sidecars_;
  wire::Stats stats_;
  kube::Json last_pod_;
};

}  // namespace pilotlight::cli
