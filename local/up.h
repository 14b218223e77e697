#pragma once

#include "local/up_plan.h"

namespace pilotlight::local {

/// `pilotlight up`: runs the services of some manifests on this machine until SIGINT or SIGTERM
/// (polite: at most 10 s; a second one: now). Blocks; prints its story to stdout, problems to
/// stderr. @return the exit code: 0 after a polite end, 78 for bad manifests, 1 when it could not
/// start.
[[nodiscard]] int run_up(const UpOptions& options);

}  // namespace pilotlight::local
