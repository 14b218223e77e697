#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/local/stream_protocol.hpp>
#include <sys/types.h>

#include "common/base/error.h"
#include "common/base/task.h"
#include "local/shim_protocol.h"

namespace pilotlight::local {

/// Knows where the shim program is and which shims run. Makes this process a child subreaper, so
/// that what a killed shim leaves behind comes here and can be ended. One per process.
class ShimLauncher {
 public:
  explicit ShimLauncher(std::string program);

  [[nodiscard]] const std::string& program() const noexcept { return program_; }

 private:
  friend class Shim;
  void sweep();

  std::string program_;
  std::set<pid_t> running_;
};

/// One run of pilotlight-shim: starts processes together, tells what becomes of them, ends them.
///
/// Whatever they start themselves ends with them: when next() has said that it is over, no
/// descendant is left. Destroying a Shim kills everything without waiting. start() takes about
/// 0.3 ms (posix_spawn). One shard.
class Shim {
 public:
  Shim(Executor executor, ShimLauncher& launcher) : launcher_(launcher), control_(executor) {}
  ~Shim();
  Shim(const Shim&) = delete;
  Shim& operator=(const Shim&) = delete;

  /// Starts the processes. Descriptors in `processes` are ours, and stay ours. Once per object.
  [[nodiscard]] Result<> start(std::vector<ProcessSpec> processes);

  /// The next thing it has to tell; none once it and every descendant are gone. Suspends.
  [[nodiscard]] Task<std::optional<ShimReport>> next();

  /// Asks one process to end (SIGTERM); makes all of them end (SIGKILL).
  void term(std::string_view role);
  void kill();

 private:
  void command(std::string_view line);
  void reap();

  ShimLauncher& launcher_;
  asio::basic_stream_socket<asio::local::stream_protocol, Executor> control_;
  pid_t pid_ = -1;
  std::string received_;
  bool empty_ = false;  // it has said that nothing is left
};

}  // namespace pilotlight::local
