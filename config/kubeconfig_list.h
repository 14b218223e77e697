#pragma once

#include <string>

namespace pilotlight::config {

/// One kubeconfig of several, and the context that is meant.
struct ChosenKubeconfig {
  std::string path;
  std::string context;
};

/// Chooses from $KUBECONFIG, files with `:` between them: the context is `context`, or the
/// current-context of the first file that has one; the file is the first that has this context.
/// Unlike kubectl's, files are not merged: its cluster and user must be in the same one. Where no
/// file has it, the first that is there is chosen, so that reading it says what is missing.
[[nodiscard]] ChosenKubeconfig choose_kubeconfig(const std::string& paths,
                                                 const std::string& context);

}  // namespace pilotlight::config
