// pilotlight-activator: holds requests of sleeping revisions and routes them to replicas; see
// `--help`.

#include <cstdio>
#include <cstdlib>
#include <thread>

#include <unistd.h>

#include "activator/app.h"
#include "activator/flags.h"
#include "common/base/log.h"

namespace {

constexpr int kExitStart = 1;

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace pilotlight;
  activator::Surroundings surroundings;
  surroundings.cores = std::thread::hardware_concurrency();
  surroundings.passed.fds = environment("LISTEN_FDS");
  surroundings.passed.names = environment("LISTEN_FDNAMES");
  surroundings.passed.pid = environment("LISTEN_PID");
  surroundings.passed.own_pid = getpid();
  surroundings.pod_name = environment("POD_NAME").value_or("");
  surroundings.service_host = environment("KUBERNETES_SERVICE_HOST").value_or("");
  surroundings.service_port = environment("KUBERNETES_SERVICE_PORT").value_or("");
  const activator::FlagsOutcome outcome = activator::read_flags(argc, argv, surroundings);
  if (!outcome.flags) {
    std::fputs(outcome.text.c_str(), outcome.exit_code == 0 ? stdout : stderr);
    return outcome.exit_code;
  }
  start_logging("pilotlight-activator", outcome.flags->log_level);
  int code = kExitStart;
  {
    activator::App app(*outcome.flags);
    if (const auto problem = app.bind()) {
      std::fprintf(stderr, "pilotlight-activator: %s\n", problem->c_str());
    } else {
      code = app.run();
    }
  }
  stop_logging();
  return code;
}
