#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/system/result.hpp>

namespace pilotlight {

/// A certificate and its key, as PEM.
struct KeyPair {
  std::string certificate;
  std::string key;
  friend bool operator==(const KeyPair&, const KeyPair&) = default;
};

/// Moments of certificates are of the calendar, not of a Clock.
using WallTime = std::chrono::sys_seconds;

/// A pair, or why there is none.
using MadePair = boost::system::result<KeyPair, std::string>;

/// A new authority that signs itself (EC, P-256); valid from an hour before `now`, for clocks that
/// are behind, until `lifetime` after it.
[[nodiscard]] MadePair make_authority(const std::string& common_name, WallTime now,
                                      std::chrono::seconds lifetime);

/// A new pair for a server with these names (DNS names, or addresses), signed by the authority.
[[nodiscard]] MadePair issue_certificate(const KeyPair& authority,
                                         const std::vector<std::string>& names, WallTime now,
                                         std::chrono::seconds lifetime);

/// When the (first) certificate ends; none if it cannot be read.
[[nodiscard]] std::optional<WallTime> certificate_end(std::string_view pem);

/// Whether the authority has signed the certificate, the key belongs to it, and it is for all of
/// these names.
[[nodiscard]] bool certificate_fits(const KeyPair& pair, std::string_view authority,
                                    const std::vector<std::string>& names);

}  // namespace pilotlight
