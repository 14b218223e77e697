#include "common/net/tls_names.h"

#include <algorithm>
#include <array>

namespace pilotlight {
namespace {

struct Suite {
  std::string_view go;
  std::string_view openssl;
  TlsVersion version;
};

/// Go's crypto/tls.CipherSuites(), in the order in which we prefer them. What Go calls insecure is
/// not known here.
constexpr std::array<Suite, 13> kSuites = {{
    {"TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", TlsVersion::v1_3},
    {"TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", TlsVersion::v1_3},
    {"TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256", TlsVersion::v1_3},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", TlsVersion::v1_2},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", TlsVersion::v1_2},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", TlsVersion::v1_2},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", TlsVersion::v1_2},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305",
     TlsVersion::v1_2},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305",
     TlsVersion::v1_2},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA", TlsVersion::v1_2},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA", TlsVersion::v1_2},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA", TlsVersion::v1_2},
    {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA", TlsVersion::v1_2},
}};

struct Curve {
  std::string_view go;
  std::string_view openssl;  // "": OpenSSL 3.0 does not have it
};

constexpr std::array<Curve, 8> kCurves = {{
    {"X25519", "X25519"},
    {"CurveP256", "P-256"},
    {"P-256", "P-256"},
    {"CurveP384", "P-384"},
    {"P-384", "P-384"},
    {"CurveP521", "P-521"},
    {"P-521", "P-521"},
    {"X25519MLKEM768", ""},
}};

void append(std::string& list, std::string_view name) {
  if (!list.empty()) list += ':';
  list += name;
}

void name_suites(const TlsSettings& settings, TlsNames& names) {
  for (const std::string& name : settings.cipher_suites) {
    const auto known = std::find_if(kSuites.begin(), kSuites.end(),
                                    [&](const Suite& suite) { return suite.go == name; });
    if (known == kSuites.end()) {
      names.problems.push_back("unknown cipher suite \"" + name + "\"");
      continue;
    }
    append(known->version == TlsVersion::v1_3 ? names.suites_1_3 : names.ciphers_1_2,
           known->openssl);
  }
  if (settings.cipher_suites.empty()) {
    for (const Suite& suite : kSuites) {
      if (suite.version == TlsVersion::v1_2) append(names.ciphers_1_2, suite.openssl);
    }
  }
  if (names.least == TlsVersion::v1_2 && names.ciphers_1_2.empty() && names.problems.empty()) {
    names.least = TlsVersion::v1_3;
    if (settings.most == TlsVersion::v1_2) {
      names.problems.push_back("no cipher suite for TLS 1.2, the highest version allowed");
    }
  }
}

void name_curves(const TlsSettings& settings, TlsNames& names) {
  for (const std::string& name : settings.curves) {
    const auto known = std::find_if(kCurves.begin(), kCurves.end(),
                                    [&](const Curve& curve) { return curve.go == name; });
    if (known == kCurves.end()) {
      names.problems.push_back("unknown curve \"" + name + "\"");
    } else if (known->openssl.empty()) {
      names.ignored.push_back(name);
    } else {
      append(names.curves, known->openssl);
    }
  }
  if (names.curves.empty() && !names.ignored.empty()) {
    names.problems.push_back("this OpenSSL has no curve \"" + names.ignored.front() +
                             "\": name another one beside it");
  }
}

}  // namespace

TlsNames openssl_names(const TlsSettings& settings) {
  TlsNames names;
  names.least = settings.least;
  if (settings.least > settings.most) {
    names.problems.emplace_back("the least TLS version is above the highest");
    return names;
  }
  name_suites(settings, names);
  name_curves(settings, names);
  return names;
}

}  // namespace pilotlight
