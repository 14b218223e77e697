#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pilotlight {

enum class TlsVersion : std::uint8_t { v1_2, v1_3 };

/// How a TLS port talks. Names are Go's, as in Knative's environment.
struct TlsSettings {
  TlsVersion least = TlsVersion::v1_3;
  TlsVersion most = TlsVersion::v1_3;
  std::vector<std::string> cipher_suites;  ///< Of either version, best first; none: all of them.
  std::vector<std::string> curves;         ///< Best first; none: OpenSSL's own choice.
};

/// The same in OpenSSL's words. A list is its names with ':' between; "" leaves OpenSSL's default.
struct TlsNames {
  TlsVersion least = TlsVersion::v1_3;
  std::string ciphers_1_2;  ///< Never empty where 1.2 is spoken.
  std::string suites_1_3;
  std::string curves;
  std::vector<std::string> problems;  ///< What cannot be used: nothing may start.
  std::vector<std::string>
      ignored;  ///< Known curves that this OpenSSL cannot do, beside ones it can.
};

/// Translates. As in Go, suites of TLS 1.2 do not narrow 1.3; a list that has only suites of 1.3
/// leaves nothing for 1.2, which then is not spoken. Pure.
[[nodiscard]] TlsNames openssl_names(const TlsSettings& settings);

}  // namespace pilotlight
