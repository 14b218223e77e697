#pragma once

#include <string>

#include "common/kube/access.h"
#include "config/credential_plugin.h"
#include "config/problems.h"

namespace pilotlight::config {

/// Reads the kubeconfig at `path` as kubectl does: the cluster and the user of `context`, or of
/// current-context when that is "". Files it names are relative to its own folder.
///
/// A user may have a token, a file with one, a client certificate with its key, or, where there are
/// `plugins`, a program that fetches one of these (exec): it is run once, here, when there is none
/// of the others. What is refused by name rather than ignored: that program where there are no
/// plugins, auth-provider, passwords, impersonation, proxies, and servers whose certificate is not
/// to be checked. Problems name the file and the path in it.
[[nodiscard]] Checked<kube::Access> read_kubeconfig(const std::string& path,
                                                    const std::string& context = "",
                                                    const Plugins* plugins = nullptr);

}  // namespace pilotlight::config
