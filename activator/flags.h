#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "activator/park_budget.h"
#include "activator/sockets.h"
#include "common/base/log.h"
#include "common/kube/client.h"
#include "common/wire/credentials.h"

namespace pilotlight::activator {

/// Everything that an operator can say to the activator. Immutable once read.
struct Flags {
  kube::Access kube;
  std::string token;                    ///< Of the token file, for the autoscaler.
  wire::CredentialSources credentials;  ///< For the autoscaler too, as files.
  asio::ip::tcp::endpoint autoscaler;
  asio::ip::tcp::endpoint admin;
  asio::ip::tcp::endpoint metrics;
  asio::ip::tcp::endpoint listen;  ///< The gateway, when no socket was passed.
  std::vector<PassedSocket> passed;
  std::size_t shards = 1;
  ParkLimits park;
  std::string replica;                    ///< Our name on the wire.
  Duration lame_duck = Duration::zero();  ///< LameDuck's `quiet`.
  LogLevel log_level = LogLevel::info;
};

/// The outside world as reading the flags sees it.
struct Surroundings {
  std::size_t cores = 1;
  PassedEnvironment passed;
  std::string pod_name;      ///< $POD_NAME, "" when unset
  std::string service_host;  ///< $KUBERNETES_SERVICE_HOST, "" when unset
  std::string service_port;  ///< $KUBERNETES_SERVICE_PORT, "" when unset
};

/// What came of the command line.
struct FlagsOutcome {
  std::optional<Flags> flags;
  std::string text;   ///< Without flags: what to print.
  int exit_code = 0;  ///< Without flags: 0 after --help and --version, 78 after a mistake.
};

/// Reads the command line and the files that it names. All problems at once.
[[nodiscard]] FlagsOutcome read_flags(int argc, const char* const* argv,
                                      const Surroundings& surroundings);

}  // namespace pilotlight::activator
