#pragma once

#include "common/base/clock.h"
#include "config/credential_plugin.h"

namespace pilotlight::cli {

/// Runs a kubeconfig's program and waits for it, for 60 s at most: it may open a browser. What it
/// says to people goes to our standard error. Up to 1 MiB of what it writes is taken.
[[nodiscard]] config::PluginAnswer run_plugin(const config::CredentialPlugin& plugin,
                                              Duration patience = std::chrono::seconds(60));

}  // namespace pilotlight::cli
