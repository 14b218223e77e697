#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pilotlight::local {

/// The descriptor on which a shim finds its control socket.
inline constexpr int kShimControlFd = 3;

/// One process that a shim is to start. Descriptors are numbers in the shim.
struct ProcessSpec {
  std::string role;               ///< "app", "sidecar", "activator": what reports call it.
  std::vector<std::string> argv;  ///< argv[0] is looked up in the PATH of `env`.
  std::vector<std::string> env;   ///< "NAME=value", complete.
  std::string directory;          ///< Working directory; "" keeps the shim's.
  int log_fd = 2;                 ///< Its stdout and stderr.
  std::vector<int> listen_fds;    ///< Given as 3, 4, ... with LISTEN_FDS and LISTEN_PID.
};

/// What a shim reads first on its control socket: a decimal byte count and a newline, then strings
/// that each end with a NUL. Nothing for text that is not exactly one encoded list.
[[nodiscard]] std::string encode_spec(const std::vector<ProcessSpec>& processes);
[[nodiscard]] std::optional<std::vector<ProcessSpec>> decode_spec(std::string_view payload);

/// What a shim tells, one line each:
///   started <role> <pid> <exec_us>     exec succeeded, at that CLOCK_MONOTONIC microsecond
///   failed <role> <text>               it could not be started
///   exited <role> <pid> code|signal <n>
///   empty                              no descendant is left; the shim ends
struct ShimReport {
  enum class Kind { started, failed, exited, empty };

  Kind kind = Kind::empty;
  std::string role;
  int pid = 0;
  std::int64_t exec_us = 0;
  bool by_signal = false;
  int code = 0;  ///< Exit code, or the signal's number.
  std::string text;
};

[[nodiscard]] std::string encode_report(const ShimReport& report);
[[nodiscard]] std::optional<ShimReport> decode_report(std::string_view line);

/// What a shim is told, one line each: "term <role>" (SIGTERM to that process), "kill" (SIGKILL to
/// every descendant until none is left). The end of the control socket means "kill".
inline constexpr std::string_view kTermCommand = "term ";
inline constexpr std::string_view kKillCommand = "kill";

}  // namespace pilotlight::local
