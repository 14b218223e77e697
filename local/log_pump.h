#pragma once

#include <filesystem>
#include <string>

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "common/async/scope.h"
#include "local/log_file.h"

namespace pilotlight::local {

/// Carries what a process writes to its stdout and stderr into its log file. The pipe outlives the
/// process, so a restarted one writes to the same place. One shard.
class LogPump {
 public:
  LogPump(Executor executor, std::filesystem::path path);
  ~LogPump();
  LogPump(const LogPump&) = delete;
  LogPump& operator=(const LogPump&) = delete;

  /// Where the process writes. Open as long as this object.
  [[nodiscard]] int write_fd() const noexcept { return write_fd_; }

  /// Carries until close(). Spawn it once; it must have ended before the destructor.
  [[nodiscard]] Task<> run();

  /// Carries what is in the pipe now, and lets run() end.
  void close();

  /// Carries what is in the pipe now: call it before asking for the last lines of a dead process.
  void drain();

  [[nodiscard]] LogFile& file() noexcept { return file_; }

 private:
  LogFile file_;
  asio::posix::basic_stream_descriptor<Executor> reader_;
  int write_fd_ = -1;
};

}  // namespace pilotlight::local
