#include "config/credential_plugin.h"

#include <algorithm>

namespace pilotlight::config {
namespace {

using nlohmann::json;

constexpr std::string_view kVersions =
    "client.authentication.k8s.io/v1 or client.authentication.k8s.io/v1beta1";

bool is_version(std::string_view text) {
  return text == "client.authentication.k8s.io/v1" ||
         text == "client.authentication.k8s.io/v1beta1";
}

/// Whether the program may ask. Always is a promise that this process cannot give without one.
bool may_ask(ObjectReader& exec, bool terminal) {
  const std::string mode = exec.text("interactiveMode").value_or("IfAvailable");
  if (mode == "Always" && !terminal) {
    exec.report().wrong(exec.path_of("interactiveMode"), "Always",
                        "a terminal as standard input, which is not there");
  } else if (mode != "Never" && mode != "IfAvailable" && mode != "Always") {
    exec.report().wrong(exec.path_of("interactiveMode"), '"' + mode + '"',
                        "Never, IfAvailable or Always");
  }
  return terminal && mode != "Never";
}

void read_environment(ObjectReader& exec, CredentialPlugin& plugin) {
  const json::array_t& all = exec.list("env");
  for (std::size_t i = 0; i < all.size(); ++i) {
    ObjectReader one(&all[i], join(exec.path_of("env"), i), exec.report(), Unknown::refused);
    std::string name = one.needed_text("name", "the name of a variable");
    std::string value = one.text("value").value_or("");
    one.end();
    plugin.environment.emplace_back(std::move(name), std::move(value));
  }
}

}  // namespace

CredentialPlugin read_plugin(ObjectReader exec, const std::string& folder, const json& cluster,
                             bool terminal) {
  CredentialPlugin plugin;
  plugin.api_version = exec.needed_text("apiVersion", kVersions);
  if (!plugin.api_version.empty() && !is_version(plugin.api_version)) {
    exec.report().wrong(exec.path_of("apiVersion"), '"' + plugin.api_version + '"', kVersions);
  }
  plugin.command = exec.needed_text("command", "a program");
  const bool path = plugin.command.find('/') != std::string::npos;
  if (path && !plugin.command.starts_with('/')) plugin.command = folder + plugin.command;
  plugin.arguments = exec.texts("args");
  read_environment(exec, plugin);
  plugin.install_hint = exec.text("installHint").value_or("");
  plugin.interactive = may_ask(exec, terminal);

  json info = {{"apiVersion", plugin.api_version}, {"kind", "ExecCredential"}};
  info["spec"]["interactive"] = plugin.interactive;
  if (exec.boolean("provideClusterInfo").value_or(false)) info["spec"]["cluster"] = cluster;
  exec.end();
  plugin.environment.emplace_back("KUBERNETES_EXEC_INFO", info.dump());
  return plugin;
}

Credential read_credential(const std::string& text, const CredentialPlugin& plugin,
                           const std::string& path, Report& report) {
  Credential out;
  const json answer = json::parse(text, nullptr, false);
  const std::string what = "what " + plugin.command + " wrote: ";
  if (!answer.is_object()) {
    report.say(path, what + "got text that is no JSON object, expected an ExecCredential");
    return out;
  }
  Report inner;
  ObjectReader credential(&answer, "", inner, Unknown::ignored);
  const std::string version = credential.needed_text("apiVersion", plugin.api_version);
  if (!version.empty() && version != plugin.api_version) {
    inner.wrong("apiVersion", '"' + version + '"', plugin.api_version);
  }
  ObjectReader status = credential.object("status");
  out.token = status.text("token").value_or("");
  out.certificate = status.text("clientCertificateData").value_or("");
  out.key = status.text("clientKeyData").value_or("");
  const bool odd = std::any_of(out.token.begin(), out.token.end(),
                               [](unsigned char c) { return c < 0x20 || c == 0x7F; });
  if (odd) inner.wrong("status.token", "a control character in it", "one line of text");
  if (out.certificate.empty() != out.key.empty()) {
    inner.wrong("status", "one of clientCertificateData and clientKeyData", "both or neither");
  } else if (out.token.empty() && out.certificate.empty()) {
    inner.wrong("status", "neither a token nor a certificate", "one of them");
  }
  for (const std::string& problem : inner.problems()) report.say(path, what + problem);
  return out;
}

}  // namespace pilotlight::config
