#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <netinet/in.h>
#include <sys/types.h>

namespace pilotlight::bench {

using Clock = std::chrono::steady_clock;

/// One run of the generator. Either `seconds` or `requests` ends it.
struct LoadOptions {
  sockaddr_in target{};
  std::uint32_t connections = 1;
  double seconds = 0;          ///< of the measured window; longer until a whole request lies in it
  double warm_up_seconds = 0;  ///< before the measured window, with `seconds` only
  std::uint64_t requests = 0;  ///< exactly so many, all measured
  double rate = 0;             ///< requests per second over all connections; 0: closed loop
  std::string path = "/";
  std::uint64_t body_bytes = 86;  ///< POST; 0: GET
  bool reconnect = false;         ///< a new connection for each request
  bool hold = false;          ///< one request a connection, then keep all open until EOF on stdin
  std::vector<pid_t> cpu_of;  ///< whose CPU time the window is charged with
};

/// What happened within the measured window.
struct LoadResult {
  std::uint64_t requests = 0;
  std::uint64_t all_requests = 0;  ///< warm-up included
  std::uint64_t body_bytes = 0;    ///< of answers
  std::uint64_t reconnects = 0;    ///< keep-alive connections that the other side ended
  std::map<std::string, std::uint64_t> errors;
  double seconds = 0;
  std::optional<double> cpu_seconds;        ///< of `cpu_of`, together
  std::vector<std::uint32_t> latencies_us;  ///< tenths of a microsecond would be noise
};

/// Runs it to its end on this thread.
///
/// In a closed loop a request's time begins when it is sent (with `reconnect`, when its connection
/// begins). At a rate it begins when it was due, so that a stall counts for all it delays.
[[nodiscard]] LoadResult run_load(const LoadOptions& options);

}  // namespace pilotlight::bench
