// pilotlight-proxy: the sidecar in front of one replica. Configured by Knative's queue-proxy
// environment; see `--help`.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "common/base/log.h"
#include "config/proxy_config.h"
#include "proxy/app.h"

namespace {

constexpr int kExitStart = 1;
constexpr int kExitConfig = 78;  // EX_CONFIG

std::optional<std::string> environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace pilotlight;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--help") == 0) {
      std::fputs(config::proxy_help().c_str(), stdout);
      return 0;
    }
    if (std::strcmp(argv[i], "--version") == 0) {
      std::puts("pilotlight-proxy " PILOTLIGHT_VERSION);
      return 0;
    }
    std::fprintf(stderr, "pilotlight-proxy: unknown argument \"%s\", expected --help or --version\n",
                 argv[i]);
    return kExitConfig;
  }
  const auto config = config::load_proxy_config(environment);
  if (!config) {
    for (const std::string& problem : config.error()) {
      std::fprintf(stderr, "pilotlight-proxy: %s\n", problem.c_str());
    }
    return kExitConfig;
  }
  start_logging("pilotlight-proxy", parse_log_level(config->log_level, LogLevel::info));
  int code = kExitStart;
  {
    proxy::App app(*config);
    const auto problem = app.bind();
    if (problem) {
      std::fprintf(stderr, "pilotlight-proxy: %s\n", problem->c_str());
    } else {
      code = app.run();
    }
  }
  stop_logging();
  return code;
}
