#include "controller/credentials.h"

#include <utility>

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

/// @return "" or why it could not.
std::string renew_authority(Credentials& credentials, WallTime now) {
  KeyPair& authority = credentials.authority;
  KeyPair& successor = credentials.successor;
  if (lasts(authority, now, kAuthorityRenewal)) return "";
  if (!lasts(successor, now, kAuthorityRenewal)) {
    auto made = make_authority("pilotlight", now, kAuthorityLife);
    if (!made) return made.error();
    // The old one stays trusted as long as anybody may still show what it has signed.
    credentials.bundle = made->certificate + authority.certificate;
    successor = std::move(*made);
  }
  const bool known = !lasts(successor, now, kAuthorityLife - kSuccession);
  if (known || !lasts(authority, now, kServingRenewal)) {
    authority = std::exchange(successor, KeyPair());
  }
  return "";
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
  out.successor.certificate = part(secret, "next-ca.crt").value_or("");
  out.successor.key = part(secret, "next-ca.key").value_or("");
  out.serving.certificate = *serving;
  out.serving.key = *serving_key;
  if (out.serving.certificate.empty()) return std::nullopt;  // the empty Secret of deploy/
  return out;
}

Json secret_data(const Credentials& credentials) {
  Json data = {{"ca-bundle.crt", to_base64(credentials.bundle)},
               {"ca.crt", to_base64(credentials.authority.certificate)},
               {"ca.key", to_base64(credentials.authority.key)},
               {"tls.crt", to_base64(credentials.serving.certificate)},
               {"tls.key", to_base64(credentials.serving.key)}};
  if (credentials.successor.certificate.empty()) return data;
  data["next-ca.crt"] = to_base64(credentials.successor.certificate);
  data["next-ca.key"] = to_base64(credentials.successor.key);
  return data;
}

KeyPair read_pair(const Json& secret) {
  KeyPair pair;
  pair.certificate = part(secret, "tls.crt").value_or("");
  pair.key = part(secret, "tls.key").value_or("");
  return pair;
}

Json pair_data(const KeyPair& pair) {
  return {{"tls.crt", to_base64(pair.certificate)}, {"tls.key", to_base64(pair.key)}};
}

MadePair renew_certificate(const KeyPair& found, const KeyPair& authority,
                           const std::vector<std::string>& names, WallTime now) {
  const bool fits = certificate_fits(found, authority.certificate, names);
  if (fits && lasts(found, now, kServingRenewal)) return found;
  return issue_certificate(authority, names, now, kServingLife);
}

FoundCredentials renew_credentials(const std::optional<Credentials>& found,
                                   const std::vector<std::string>& names, WallTime now) {
  Credentials out = found.value_or(Credentials());
  const std::string failure = renew_authority(out, now);
  if (!failure.empty()) return FoundCredentials(boost::system::in_place_error, failure);
  auto serving = renew_certificate(out.serving, out.authority, names, now);
  if (!serving) return FoundCredentials(boost::system::in_place_error, serving.error());
  out.serving = std::move(*serving);
  return out;
}

}  // namespace pilotlight::controller
