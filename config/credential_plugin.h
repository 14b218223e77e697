#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "config/json_reader.h"

/// Programs that a kubeconfig names to fetch credentials, as clouds have them: `users[].user.exec`.
/// What they are told and what they answer: client.authentication.k8s.io/v1 and v1beta1, as in the
/// Kubernetes documentation ("client-go credential plugins").
namespace pilotlight::config {

/// A program to run, and how.
struct CredentialPlugin {
  std::string api_version;
  std::string command;  ///< With a slash: a path. Without: looked for in PATH.
  std::vector<std::string> arguments;
  /// Beside those of this process; of two of one name the last counts. KUBERNETES_EXEC_INFO is one.
  std::vector<std::pair<std::string, std::string>> environment;
  bool interactive = false;  ///< It may ask the person at the terminal.
  std::string install_hint;  ///< Shown when it is not there.
};

/// What a plugin has written to its standard output, or the one problem why there is nothing.
using PluginAnswer = Checked<std::string>;

/// How programs are run, by those who can wait for them.
struct Plugins {
  std::function<PluginAnswer(const CredentialPlugin&)> run;
  bool terminal = false;  ///< Somebody is there to be asked.
};

/// What it has fetched; "" is absent. At least a token, or a certificate with its key.
struct Credential {
  std::string token;
  std::string certificate;  ///< PEM
  std::string key;          ///< PEM
};

/// Reads `exec` of a user. `folder`: what a relative path begins with, with its slash. `cluster`:
/// the kubeconfig's, told to plugins that ask for it.
[[nodiscard]] CredentialPlugin read_plugin(ObjectReader exec, const std::string& folder,
                                           const nlohmann::json& cluster, bool terminal);

/// Reads what `plugin` has written; problems are at `path`.
[[nodiscard]] Credential read_credential(const std::string& text, const CredentialPlugin& plugin,
                                         const std::string& path, Report& report);

}  // namespace pilotlight::config
