#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/system/result.hpp>

#include "common/control/client.h"

namespace pilotlight::kube {

/// Where the API server is and who we are there.
struct Access {
  asio::ip::tcp::endpoint endpoint;  ///< 0.0.0.0: `host` is looked up at each connect.
  std::string host;                  ///< "name:port" for a server that is known by name.
  std::string server_name;           ///< What its certificate must be for; "" is the host.
  std::string prefix;                ///< Before every path, without a slash at its end; usually "".
  std::string token;                 ///< A token that never changes.
  std::string token_file;  ///< Read each minute and after a 401; "" sends `token`, if there is one.
  std::string ca_file;     ///< Read again when the server's certificate is not trusted.
  std::shared_ptr<const TlsContext> tls;  ///< None: plain HTTP.

  [[nodiscard]] control::Peer peer() const;
};

/// An Access, or what is wrong: what was got and what is expected.
using FoundAccess = boost::system::result<Access, std::string>;

/// Reads "http://ip:port[/prefix]" or "https://host[:port][/prefix]"; with https the server's
/// certificate must be one that the system trusts.
[[nodiscard]] FoundAccess parse_access(std::string_view url, std::string token_file);

/// The API server of the cluster that this process is a pod of: address and port from the
/// variables KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, `token` and `ca.crt` from the
/// folder where Kubernetes mounts the service account.
[[nodiscard]] FoundAccess in_cluster_access(std::string_view host, std::string_view port,
                                            const std::string& folder);
inline constexpr std::string_view kServiceAccountFolder =
    "/var/run/secrets/kubernetes.io/serviceaccount";

/// Reads ca_file again, and makes `tls` anew when it holds other roots than `in_use`, which are
/// then replaced. @return whether it did.
[[nodiscard]] bool renew_trust(Access& access, std::string& in_use);

}  // namespace pilotlight::kube
