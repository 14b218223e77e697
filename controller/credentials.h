#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/kube/json.h"
#include "common/net/certificates.h"

namespace pilotlight::controller {

using kube::Json;

/// How the webhook proves to the API server who it is: an authority of our own, and a certificate
/// that it has signed. Kept in one Secret, so that all replicas show the same one. Certificates for
/// others, of the same authority, are in Secrets of their own, without its key.
struct Credentials {
  std::string bundle;  ///< Whom to trust: the authority, and the one before or after it.
  KeyPair authority;   ///< That signs.
  KeyPair successor;   ///< That will sign, known to everybody before; empty most of the time.
  KeyPair serving;
  friend bool operator==(const Credentials&, const Credentials&) = default;
};

inline constexpr std::chrono::hours kAuthorityLife{24 * 365 * 10};
inline constexpr std::chrono::hours kServingLife{24 * 90};
/// Its successor is made when so much of its life is left, and signs when it has been known for
/// half of that, or the end is near. Pods are told at their birth whom to trust, so those born in
/// between trust both.
inline constexpr std::chrono::hours kAuthorityRenewal{24 * 365};
inline constexpr std::chrono::hours kSuccession = kAuthorityRenewal / 2;
/// Replaced when so much of its life is left: long before anybody could be refused.
inline constexpr std::chrono::hours kServingRenewal{24 * 30};

/// What a Secret holds; none when a part is missing or no base64.
[[nodiscard]] std::optional<Credentials> read_credentials(const Json& secret);

/// The `data` of a Secret that holds them.
[[nodiscard]] Json secret_data(const Credentials& credentials);

/// The certificate that a Secret of type kubernetes.io/tls, or one laid out like it, holds; empty
/// where it has none. And the `data` of such a Secret.
[[nodiscard]] KeyPair read_pair(const Json& secret);
[[nodiscard]] Json pair_data(const KeyPair& pair);

/// What should be used from now on: `found` itself as long as the authority has signed it, it fits
/// the names and is not near its end; else a new one. Errors are OpenSSL's.
[[nodiscard]] MadePair renew_certificate(const KeyPair& found, const KeyPair& authority,
                                         const std::vector<std::string>& names, WallTime now);

/// Credentials, or why there are none.
using FoundCredentials = boost::system::result<Credentials, std::string>;

/// What should be used from now on: `found` itself as long as it fits the names and is not near its
/// end; else with a new certificate, and only if that too is necessary with a new authority, which
/// signs at once only where the other has less than a month. Errors are OpenSSL's.
[[nodiscard]] FoundCredentials renew_credentials(const std::optional<Credentials>& found,
                                                 const std::vector<std::string>& names,
                                                 WallTime now);

}  // namespace pilotlight::controller
