#pragma once

#include <string>

#include "common/kube/access.h"
#include "config/problems.h"

namespace pilotlight::config {

/// Reads the kubeconfig at `path` as kubectl does: the cluster and the user of `context`, or of
/// current-context when that is "". Files it names are relative to its own folder.
///
/// A user may have a token, a file with one, or a client certificate with its key. What is refused
/// by name rather than ignored: programs that fetch credentials (exec, auth-provider), passwords,
/// impersonation, proxies, and servers whose certificate is not to be checked. Problems name the
/// file and the path in it.
[[nodiscard]] Checked<kube::Access> read_kubeconfig(const std::string& path,
                                                    const std::string& context = "");

}  // namespace pilotlight::config
