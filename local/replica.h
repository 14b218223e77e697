#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/async/event.h"
#include "common/async/scope.h"
#include "common/control/client.h"
#include "local/log_pump.h"
#include "local/restart_back_off.h"
#include "local/shim.h"

namespace pilotlight::local {

/// What one replica is made of.
struct ReplicaSpec {
  std::string space;
  std::string pod;
  std::string service;
  std::string revision;
  std::string address;            ///< Its pod IP, an address of the block.
  ProcessSpec app;                ///< Role "app"; log descriptors are filled in by the Replica.
  ProcessSpec sidecar;            ///< Role "sidecar".
  asio::ip::tcp::endpoint probe;  ///< The sidecar's serving port.
  std::filesystem::path app_log;
  std::filesystem::path sidecar_log;
};

/// How a process of a replica ended.
struct ReplicaExit {
  std::string role;
  bool by_signal = false;
  int code = 0;                    ///< Exit code, or the signal's number.
  std::string text;                ///< Why it could not be started, if that is what happened.
  std::vector<std::string> lines;  ///< The last it wrote.

  /// "app exited with 3", "sidecar was killed by signal 9", "app: exec x: No such file or
  /// directory".
  [[nodiscard]] std::string story() const;
};

/// What is known about a replica now.
struct ReplicaFacts {
  enum class State { starting, running, waiting, terminating, ended };

  State state = State::starting;
  bool ready = false;
  int app_pid = 0;
  int sidecar_pid = 0;
  std::uint32_t restarts = 0;
  std::int64_t app_exec_us = 0;  ///< CLOCK_MONOTONIC; 0 before the first start.
  std::int64_t sidecar_exec_us = 0;
  Duration retry_in{0};  ///< While waiting: how long until the next start.
  std::optional<ReplicaExit> last_exit;
};

/// The life of one replica: an app and its sidecar, started together, restarted together.
///
/// When either dies the other is ended too and both start again after a back-off, because a sidecar
/// counts what its app runs, and neither can know what the other's successor knows. stop() is
/// polite: the sidecar drains first, the app follows, and nothing of them is left when `ended` is
/// told. A readiness probe goes through the sidecar as kubelet's does: every 20 ms at first, every
/// second later; three failures in a row make it unready. One shard.
class Replica {
 public:
  enum class Happening { started, exited, changed, ended };
  using Listener = std::function<void(Replica&, Happening)>;

  Replica(Executor executor, Clock& clock, ShimLauncher& launcher, ReplicaSpec spec,
          Listener listener);
  ~Replica();
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  /// Lives until stop() has been obeyed; tells `ended` last. Spawn it once.
  [[nodiscard]] Task<> run();

  /// Ends it politely: at most `drain` for the sidecar, then `grace` for the app. A later call with
  /// less time counts too.
  void stop(Duration drain, Duration grace);

  [[nodiscard]] const ReplicaSpec& spec() const noexcept { return spec_; }
  [[nodiscard]] const ReplicaFacts& facts() const noexcept { return facts_; }
  [[nodiscard]] std::vector<std::string> last_lines(std::size_t count);

 private:
  [[nodiscard]] Task<> run_once();
  [[nodiscard]] Task<> probe();
  [[nodiscard]] Task<> wind_down(Duration drain, Duration grace);
  [[nodiscard]] Task<> kill_at(TimePoint when);
  void handle(const ShimReport& report);
  void note_exit(const ShimReport& report);
  void begin_wind_down(Duration drain, Duration grace);
  void set_ready(bool ready);

  Executor executor_;
  Clock& clock_;
  ShimLauncher& launcher_;
  ReplicaSpec spec_;
  Listener listener_;
  ReplicaFacts facts_;
  LogPump app_log_;
  LogPump sidecar_log_;
  RestartBackOff back_off_;
  Scope logs_;
  Scope attempt_;  // the tasks of one run of the pair
  std::unique_ptr<Timer> pause_;
  std::unique_ptr<Timer> probe_pause_;
  std::unique_ptr<Event> over_;
  std::unique_ptr<Event> app_gone_;
  std::unique_ptr<Event> sidecar_gone_;
  std::unique_ptr<Shim> shim_;
  bool stopping_ = false;
  bool winding_down_ = false;
  Duration drain_{0};
  Duration grace_{0};
};

}  // namespace pilotlight::local
