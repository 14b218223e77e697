#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace pilotlight::echo {

/// How an echo server behaves. Filled from the command line, then from $PORT and $ECHO_LIMIT.
struct Options {
  std::uint16_t port = 8080;                 ///< 0 picks one.
  std::string address = "0.0.0.0";           ///< IPv4 address to listen on.
  std::optional<std::uint32_t> limit;        ///< More requests than this at once are violations.
  std::chrono::milliseconds start_delay{0};  ///< Wait before listening, as a loading model does.
  bool never_listen = false;                 ///< Stay alive without ever listening.
  std::optional<std::chrono::milliseconds> exit_after;  ///< Crash (exit_code) after this long.
  int exit_code = 3;
};

/// Reads argv. Prints what is wrong, or the help, and sets `exit_code` when the program must end.
[[nodiscard]] std::optional<Options> read_options(int argc, char** argv, int& exit_code);

}  // namespace pilotlight::echo
