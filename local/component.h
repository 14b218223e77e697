#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/async/event.h"
#include "common/async/scope.h"
#include "local/log_pump.h"
#include "local/restart_back_off.h"
#include "local/shim.h"

namespace pilotlight::local {

/// Keeps one of our own programs (activator, autoscaler) running: started again at once when it
/// dies, and, if it keeps dying, after 100 ms doubling to 1 s. One shard.
class Component {
 public:
  struct End {
    std::string name;
    std::string story;               ///< "exited with 1", "was killed by signal 9", ...
    std::vector<std::string> lines;  ///< The last it wrote.
  };
  using Listener = std::function<void(const End&)>;

  /// `listener` hears of every end that nobody asked for.
  Component(Executor executor, Clock& clock, ShimLauncher& launcher, ProcessSpec process,
            const std::filesystem::path& log, Listener listener);

  /// Runs it until stop(). Spawn once.
  [[nodiscard]] Task<> run();

  /// SIGTERM now, a second SIGTERM (which means: at once) and SIGKILL after `grace`.
  void stop(Duration grace);

  /// SIGKILL now. For good only after stop().
  void kill();

  /// Its process, or 0 while it is not running.
  [[nodiscard]] int pid() const noexcept { return pid_; }
  [[nodiscard]] const std::string& name() const noexcept { return process_.role; }
  [[nodiscard]] bool ended() const noexcept { return ended_; }

 private:
  [[nodiscard]] Task<> run_once();
  [[nodiscard]] Task<> end_by(TimePoint when);
  void tell_end(const ShimReport& report);

  Executor executor_;
  Clock& clock_;
  ShimLauncher& launcher_;
  ProcessSpec process_;
  Listener listener_;
  LogPump log_;
  RestartBackOff back_off_;
  Scope tasks_;
  std::unique_ptr<Timer> pause_;
  std::unique_ptr<Event> gone_;
  std::unique_ptr<Shim> shim_;
  int pid_ = 0;
  bool stopping_ = false;
  bool ended_ = false;
};

}  // namespace pilotlight::local
