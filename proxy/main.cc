// pilotlight-proxy: the sidecar in front of one replica. Configured by Knative's queue-proxy
// environment; see `--help`.

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "common/base/log.h"
#include "common/base/log_format.h"
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

int serve(const pilotlight::config::ProxyConfig& config) {
  using namespace pilotlight;
  start_logging("pilotlight-proxy", parse_log_level(config.log_level, LogLevel::info));
  if (config.log_json) set_log_format(LogFormat::json);
  if (!config.without_effect.empty()) {
    log_warn("accepted, not done",
             {{"what", fmt::format("{}", fmt::join(config.without_effect, ", "))}});
  }
  int code = kExitStart;
  {
    proxy::App app(config);
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

}  // namespace

int main(int argc, char** argv) {
  using namespace pilotlight;
  using config::ProxyAsk;
  const ProxyAsk ask = config::parse_proxy_arguments({argv + 1, argv + argc});
  if (ask == ProxyAsk::help) {
    std::fputs(config::proxy_help().c_str(), stdout);
    return 0;
  }
  if (ask == ProxyAsk::version) {
    std::puts("pilotlight-proxy " PILOTLIGHT_VERSION);
    return 0;
  }
  if (ask == ProxyAsk::nonsense) {
    std::string got;
    for (int i = 1; i < argc; ++i) got += std::string(i == 1 ? "" : " ") + argv[i];
    std::fprintf(stderr,
                 "pilotlight-proxy: got \"%s\", expected --help, --version or --print-config "
                 "[-o text|json]\n",
                 got.c_str());
    return kExitConfig;
  }
  const auto config = config::load_proxy_config(environment);
  if (!config) {
    for (const std::string& problem : config.error()) {
      std::fprintf(stderr, "pilotlight-proxy: %s\n", problem.c_str());
    }
    return kExitConfig;
  }
  if (ask == ProxyAsk::serve) return serve(*config);
  const bool json = ask == ProxyAsk::print_json;
  std::fputs((json ? effective_json(*config) : effective_text(*config)).c_str(), stdout);
  return 0;
}
