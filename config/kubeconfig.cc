#include "config/kubeconfig.h"

#include <array>
#include <utility>

#include "common/base/base64.h"
#include "common/base/file_text.h"
#include "config/json_reader.h"
#include "config/yaml_documents.h"

namespace pilotlight::config {
namespace {

using nlohmann::json;

constexpr std::string_view kCredentials = "a token, tokenFile or client certificate";
constexpr std::string_view kNoPlugins =
    "a token, tokenFile or client certificate (only the command line runs programs that fetch "
    "credentials)";
/// Without the breaks that long lines may have.
std::string on_one_line(std::string text) {
  std::erase_if(text, [](char c) { return c == '\n' || c == '\r' || c == ' '; });
  return text;
}

/// The folder of a kubeconfig, with its slash; "" is the current one.
std::string folder_of(const std::string& kubeconfig) {
  const auto slash = kubeconfig.rfind('/');
  return slash == std::string::npos ? "" : kubeconfig.substr(0, slash + 1);
}

std::string beside(const std::string& kubeconfig, const std::string& path) {
  return path.starts_with('/') ? path : folder_of(kubeconfig) + path;
}

/// What a cluster has for the plugin of its users, as kubectl passes it on.
json plugin_config(ObjectReader& cluster) {
  for (const json& each : cluster.list("extensions")) {
    if (!each.is_object() || each.value("name", json()) != "client.authentication.k8s.io/exec") {
      continue;
    }
    return each.value("extension", json());
  }
  return {};
}

/// Reads the parts of one kubeconfig.
class Reader {
 public:
  Reader(const std::string& path, const Document& document, const Plugins* plugins)
      : path_(path),
        plugins_(plugins),
        report_([&document](const std::string& where) { return document.at(where); }),
        root_(&document.value, "", report_, Unknown::ignored) {}

  Checked<kube::Access> read(std::string context) {
    const std::string asked = context.empty() ? "current-context" : "--context";
    if (context.empty()) context = root_.needed_text("current-context", "the name of a context");
    if (context.empty()) return report_.problems();
    const json* chosen = entry("contexts", "context", context, asked);
    if (chosen == nullptr) return report_.problems();
    ObjectReader names(chosen, where_, report_, Unknown::ignored);
    const std::string cluster = names.needed_text("cluster", "the name of a cluster");
    const std::string user = names.text("user").value_or("");
    const std::string cluster_at = names.path_of("cluster");
    const std::string user_at = names.path_of("user");
    if (cluster.empty()) return report_.problems();
    read_cluster(entry("clusters", "cluster", cluster, cluster_at));
    if (!user.empty()) read_user(entry("users", "user", user, user_at));
    if (report_.problems().empty()) finish();
    if (!report_.problems().empty()) return report_.problems();
    return std::move(access_);
  }

 private:
  /// The `what` of the element called `name` of a list; where_ is its path. A problem at `asked`
  /// when there is none.
  const json* entry(const char* list, const char* what, const std::string& name,
                    const std::string& asked) {
    const json::array_t& all = root_.list(list);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const std::string at = join(list, i);
      ObjectReader each(&all[i], at, report_, Unknown::ignored);
      if (each.text("name") != name) continue;
      where_ = join(at, what);
      return each.field(what);
    }
    report_.wrong(asked, in_quotes(name), std::string("a name in ") + list);
    return nullptr;
  }

  /// The text of `key`-data, decoded, or of the file that `key` names.
  std::string material(ObjectReader& from, const char* key, std::string* file = nullptr) {
    const std::string data_key = std::string(key) + "-data";
    if (const auto data = from.text(data_key.c_str()); data && !data->empty()) {
      auto decoded = from_base64(on_one_line(*data));
      if (decoded) return std::move(*decoded);
      report_.wrong(from.path_of(data_key), "text that is not base64", "base64");
      return "";
    }
    const auto named = from.text(key);
    if (!named || named->empty()) return "";
    const std::string full = beside(path_, *named);
    if (file != nullptr) *file = full;
    auto text = file_text(full);
    if (text) return std::move(*text);
    report_.wrong(from.path_of(key), in_quotes(full), "a file that can be read");
    return "";
  }

  void read_cluster(const json* value) {
    if (value == nullptr) return;
    ObjectReader cluster(value, where_, report_, Unknown::refused);
    const std::string server = cluster.needed_text("server", "https://host:port");
    if (!server.empty()) {
      kube::FoundAccess access = kube::parse_access(server, "");
      if (access) {
        access_ = std::move(*access);
      } else {
        report_.say(cluster.path_of("server"), access.error());
      }
    }
    if (cluster.boolean("insecure-skip-tls-verify").value_or(false)) {
      report_.wrong(cluster.path_of("insecure-skip-tls-verify"), "true",
                    "certificate-authority-data: the server's certificate is always checked");
    }
    cluster.refuse("proxy-url", "no proxy: connections go to the server itself");
    access_.server_name = cluster.text("tls-server-name").value_or("");
    trust_.roots = material(cluster, "certificate-authority", &access_.ca_file);
    trust_.system_roots = trust_.roots.empty();
    if (plugins_ != nullptr) tell_plugin(cluster, server);
  }

  /// What a plugin may ask for of the cluster.
  void tell_plugin(ObjectReader& cluster, const std::string& server) {
    told_ = {{"server", server}};
    if (!trust_.roots.empty()) told_["certificate-authority-data"] = to_base64(trust_.roots);
    if (!access_.server_name.empty()) told_["tls-server-name"] = access_.server_name;
    json more = plugin_config(cluster);
    if (!more.is_null()) told_["config"] = std::move(more);
  }

  void read_user(const json* value) {
    if (value == nullptr) return;
    ObjectReader user(value, where_, report_, Unknown::refused);
    if (plugins_ == nullptr) user.refuse("exec", kNoPlugins);
    user.refuse("auth-provider", kCredentials);
    user.refuse("username", kCredentials);
    user.refuse("as", "no impersonation");
    access_.token = user.text("token").value_or("");
    const auto token_file = user.text("tokenFile");
    if (token_file && !token_file->empty()) access_.token_file = beside(path_, *token_file);
    trust_.certificate = material(user, "client-certificate");
    trust_.key = material(user, "client-key");
    if (trust_.certificate.empty() != trust_.key.empty()) {
      report_.wrong(where_, "one of client-certificate and client-key", "both or neither");
    }
    const bool has_none =
        access_.token.empty() && access_.token_file.empty() && trust_.certificate.empty();
    const bool may_fetch = plugins_ != nullptr && user.has("exec");
    if (may_fetch && has_none && report_.problems().empty()) fetch(user);
    // A certificate of ours would be lost with TLS made anew from the roots alone.
    if (!trust_.certificate.empty()) access_.ca_file.clear();
  }

  void fetch(ObjectReader& user) {
    const std::string at = user.path_of("exec");
    const CredentialPlugin plugin =
        read_plugin(user.object("exec"), folder_of(path_), told_, plugins_->terminal);
    if (!report_.problems().empty()) return;
    const auto answer = plugins_->run(plugin);
    if (!answer) return report_.say(at, plugin.command + ": " + answer.error().front());
    Credential got = read_credential(*answer, plugin, at, report_);
    access_.token = std::move(got.token);
    trust_.certificate = std::move(got.certificate);
    trust_.key = std::move(got.key);
  }

  void finish() {
    if (access_.tls == nullptr) return;  // http://
    auto tls = TlsContext::client(trust_);
    if (tls) {
      access_.tls = std::move(*tls);
    } else {
      report_.say("", "its certificates: " + tls.error());
    }
  }

  const std::string& path_;
  const Plugins* plugins_;
  Report report_;
  ObjectReader root_;
  std::string where_;
  kube::Access access_;
  TlsTrust trust_;
  json told_;  // to a plugin, of the cluster
};

}  // namespace

Checked<kube::Access> read_kubeconfig(const std::string& path, const std::string& context,
                                      const Plugins* plugins) {
  const auto text = file_text(path);
  if (!text) return Problems(1, path + ": cannot be read");
  const auto documents = read_documents(*text, path);
  if (!documents) return documents.error();
  if (documents->size() != 1) {
    return Problems(
        1, path + ": " +
               got_expected(std::to_string(documents->size()) + " documents", "one kubeconfig"));
  }
  Reader reader(path, documents->front(), plugins);
  return reader.read(context);
}

}  // namespace pilotlight::config
