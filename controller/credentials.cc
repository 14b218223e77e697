#include "controller/credentials.h"

#include "common/base/base64.h"

namespace pilotlight::controller {
namespace {

std::optional<std::string> part(const Json& secret, const char* key) {
  return from_base64(kube::text(secret, {"data", key}));
}

bool lasts(const KeyPair& pair, WallTime now, std::chrono::seconds left) {
  const auto end = certificate_end(pair.certificate);
  return end && *end - now > left;
}

}  // namespace

std::optional<Credentials> read_credentials(const Json& secret) {
  const auto bundle = part(secret, "ca-bundle.crt");
  const auto authority = part(secret, "ca.crt");
  const auto authority_key = part(secret, "ca.key");
  const auto serving = part(secret, "tls.crt");
  const auto serving_key = part(secret, "tls.key");
  if (!bundle || !authority || !authority_key || !serving || !serving_key) return std::nullopt;
  Credentials out;
  out.bundle = *bundle;
  out.authority.certificate = *authority;
  out.authority.key = *authority_key;
  out.serving.certificate = *serving;
  out.serving.key = *serving_key;
  if (out.serving.certificate.empty()) return std::nullopt;  // the empty Secret of deploy/
  return out;
}

Json secret_data(const Credentials& credentials) {
  return {{"ca-bundle.crt", to_base64(credentials.bundle)},
          {"ca.crt", to_base64(credentials.authority.certificate)},
          {"ca.key", to_base64(credentials.authority.key)},
          {"tls.crt", to_base64(credentials.serving.certificate)},
          {"tls.key", to_base64(credentials.serving.key)}};
}

FoundCredentials renew_credentials(const std::optional<Credentials>& found,
                                   const std::vector<std::string>& names, WallTime now) {
  Credentials out = found.value_or(Credentials());
  if (!lasts(out.authority, now, kAuthorityRenewal)) {
    auto made = make_authority("pilotlight", now, kAuthorityLife);
    if (!made) return FoundCredentials(boost::system::in_place_error, made.error());
    // The old one stays trusted as long as anybody may still show what it has signed.
    out.bundle = made->certificate + out.authority.certificate;
    out.authority = std::move(*made);
  }
  const bool fits = certificate_fits(out.serving, out.authority.certificate, names);
  if (!fits || !lasts(out.serving, now, kServingRenewal)) {
    auto made = issue_certificate(out.authority, names, now, kServingLife);
    if (!made) return FoundCredentials(boost::system::in_place_error, made.error());
    out.serving = std::move(*made);
  }
  return out;
}

}  // namespace pilotlight::controller
