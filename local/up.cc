#include "local/up.h"

#include <csignal>

#include "common/base/log.h"
#include "local/up_app.h"

namespace pilotlight::local {

int run_up(const UpOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  const Console console(options.colours);
  auto plan = plan_up(options);
  if (!plan) {
    for (const std::string& line : plan.error().lines) console.problem(line);
    return plan.error().exit_code;
  }
  UpApp app(options, *plan);
  const OrReason<> bound = app.bind();
  if (!bound) {
    console.problem(bound.error().text);
    return 1;
  }
  return app.run();
}

}  // namespace pilotlight::local
