#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boost/system/result.hpp>

namespace pilotlight::activator {

/// A listening socket that the starter of this process holds, so that a restart refuses nobody.
struct PassedSocket {
  int descriptor = -1;
  std::string name;  ///< "gateway", "<service>" or "<namespace>/<service>".
};

/// The variables of the LISTEN_FDS protocol (sd_listen_fds(3)), as they are.
struct PassedEnvironment {
  std::optional<std::string> fds;
  std::optional<std::string> names;
  std::optional<std::string> pid;
  long own_pid = 0;
};

/// Which sockets were passed: none without LISTEN_FDS, or when LISTEN_PID is another process. One
/// without a name is the gateway. The error says what was got and what is expected.
[[nodiscard]] boost::system::result<std::vector<PassedSocket>, std::string> passed_sockets(
    const PassedEnvironment& environment);

}  // namespace pilotlight::activator
