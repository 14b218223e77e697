#include "common/kube/access.h"

#include <charconv>
#include <utility>

#include "common/base/file_text.h"
#include "common/base/log.h"

namespace pilotlight::kube {
namespace {

constexpr std::string_view kExpected =
    "expected http://ip:port, like http://127.0.0.1:6480, or https://host:port";

/// The parts of an URL.
struct Url {
  bool secure = false;
  std::string host;  // without brackets
  std::uint16_t port = 0;
  std::string prefix;
};

std::optional<std::uint16_t> port_of(std::string_view digits) {
  std::uint16_t port = 0;
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (bad != std::errc() || end != digits.data() + digits.size() || port == 0) return std::nullopt;
  return port;
}

std::optional<Url> split(std::string_view text) {
  Url url;
  url.secure = text.starts_with("https://");
  if (!url.secure && !text.starts_with("http://")) return std::nullopt;
  text.remove_prefix(text.find("//") + 2);
  const auto slash = std::min(text.find('/'), text.size());
  std::string_view authority = text.substr(0, slash);
  std::string_view prefix = text.substr(slash);
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  url.prefix = std::string(prefix);

  const auto bracket = authority.rfind(']');
  const auto colon = authority.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  if (!has_port && !url.secure) return std::nullopt;
  const auto port = has_port ? port_of(authority.substr(colon + 1)) : std::uint16_t{443};
  if (!port) return std::nullopt;
  url.port = *port;
  if (has_port) authority = authority.substr(0, colon);
  if (authority.starts_with('[') && authority.ends_with(']')) {
    authority = authority.substr(1, authority.size() - 2);
  }
  url.host = std::string(authority);
  const bool odd = url.host.find_first_of("@?# ") != std::string::npos;
  if (url.host.empty() || odd) return std::nullopt;
  return url;
}

}  // namespace

control::Peer Access::peer() const {
  control::Peer peer(endpoint);
  peer.host = host;
  peer.name = server_name;
  peer.tls = tls;
  return peer;
}

FoundAccess parse_access(std::string_view text, std::string token_file) {
  const std::string expected = "got \"" + std::string(text) + "\", " + std::string(kExpected);
  const std::optional<Url> url = split(text);
  if (!url) return expected;
  Access access;
  ErrorCode ec;
  const auto address = asio::ip::make_address(url->host, ec);
  if (!ec) {
    access.endpoint = asio::ip::tcp::endpoint(address, url->port);
  } else if (url->secure && url->host.find_first_of(":[]") == std::string::npos) {
    access.endpoint = asio::ip::tcp::endpoint(asio::ip::address_v4::any(), url->port);
    access.host = url->host + ":" + std::to_string(url->port);
  } else {
    return expected;
  }
  access.prefix = url->prefix;
  access.token_file = std::move(token_file);
  if (url->secure) access.tls = *TlsContext::client("");  // the system's roots: cannot fail
  return access;
}

FoundAccess in_cluster_access(std::string_view host, std::string_view port,
                              const std::string& folder) {
  if (host.empty() || port.empty()) {
    return std::string(
        "not in a cluster (KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set)");
  }
  const bool v6 = host.find(':') != std::string_view::npos;
  std::string url = v6 ? "https://[" : "https://";
  url.append(host).append(v6 ? "]:" : ":").append(port);
  FoundAccess access = parse_access(url, folder + "/token");
  if (!access) return "KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT: " + access.error();
  if (!file_text(access->token_file)) return access->token_file + ": cannot be read";
  access->ca_file = folder + "/ca.crt";
  TlsTrust trust;
  trust.system_roots = false;
  const auto roots = file_text(access->ca_file);
  if (!roots) return access->ca_file + ": cannot be read";
  trust.roots = *roots;
  auto tls = TlsContext::client(trust);
  if (!tls) return access->ca_file + ": " + tls.error();
  access->tls = std::move(*tls);
  return access;
}

bool renew_trust(Access& access, std::string& in_use) {
  if (access.ca_file.empty()) return false;
  std::optional<std::string> roots = file_text(access.ca_file);
  if (!roots || *roots == in_use) return false;
  TlsTrust trust;
  trust.system_roots = false;
  trust.roots = *roots;
  in_use = std::move(*roots);
  auto tls = TlsContext::client(trust);
  if (!tls) {
    log_warn("roots cannot be used", {{"path", access.ca_file}, {"problem", tls.error()}});
    return false;
  }
  access.tls = std::move(*tls);
  return true;
}

}  // namespace pilotlight::kube
