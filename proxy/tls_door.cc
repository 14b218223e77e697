#include "proxy/tls_door.h"

#include <fmt/format.h>

#include "common/base/log.h"

namespace pilotlight::proxy {
namespace {

TlsVersion version_of(const std::string& text) {
  return text == "1.2" ? TlsVersion::v1_2 : TlsVersion::v1_3;
}

TlsSettings settings_of(const config::ProxyConfig::Tls& tls) {
  TlsSettings settings;
  settings.least = version_of(tls.min_version);
  settings.most = version_of(tls.max_version);
  settings.cipher_suites = tls.cipher_suites;
  settings.curves = tls.curve_preferences;
  return settings;
}

}  // namespace

TlsDoor::TlsDoor(http::ShardParts& parts, const config::ProxyConfig& config,
                 OnConnection on_connection)
    : parts_(parts),
      where_(config.listen_address, config.serving_tls_port),
      on_connection_(std::move(on_connection)),
      settings_(settings_of(config.tls)),
      files_(parts.executor, parts.clock, parts.deadlines, config.tls.directory, settings_),
      listener_(parts.executor, parts.clock, [this](TcpStream stream) {
        on_connection_(files_.context().accept(std::move(stream)));
      }) {}

std::optional<std::string> TlsDoor::open() {
  const std::optional<std::string> problem = files_.load();
  if (problem) return "cannot serve TLS: " + *problem;
  const Result<> bound = listener_.bind(where_, /*shared=*/false);
  if (!bound) {
    return fmt::format("cannot listen on {} (TLS port): {}", to_string(where_),
                       bound.error().message());
  }
  for (const std::string& curve : openssl_names(settings_).ignored) {
    log_warn("curve not available: the others are used", {{"curve", curve}});
  }
  log_info("listening for TLS", {{"serving_tls", to_string(listener_.local())}});
  return std::nullopt;
}

void TlsDoor::start() {
  parts_.scope.spawn(files_.run());
  parts_.scope.spawn(listener_.run());
}

void TlsDoor::stop() noexcept {
  listener_.close();
  files_.stop();
}

}  // namespace pilotlight::proxy
