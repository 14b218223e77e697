#include "common/net/tls_names.h"

#include <gtest/gtest.h>

namespace pilotlight {
namespace {

using Strings = std::vector<std::string>;

TEST(TlsNamesTest, ByDefaultOnlyTls13WithOpensslsOwnSuitesAndCurves) {
  const TlsNames names = openssl_names(TlsSettings());
  EXPECT_EQ(names.least, TlsVersion::v1_3);
  EXPECT_EQ(names.suites_1_3, "");
  EXPECT_EQ(names.curves, "");
  EXPECT_EQ(names.problems, Strings());
}

TEST(TlsNamesTest, GoNamesBecomeOpensslNamesInTheirOrderApartByVersion) {
  TlsSettings settings;
  settings.least = TlsVersion::v1_2;
  settings.cipher_suites = {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384",
                            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
                            "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS_AES_128_GCM_SHA256"};
  settings.curves = {"CurveP384", "X25519", "P-256", "CurveP521"};
  const TlsNames names = openssl_names(settings);
  EXPECT_EQ(names.least, TlsVersion::v1_2);
  EXPECT_EQ(names.ciphers_1_2,
            "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-SHA");
  EXPECT_EQ(names.suites_1_3, "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(names.curves, "P-384:X25519:P-256:P-521");
  EXPECT_EQ(names.problems, Strings());
}

TEST(TlsNamesTest, EveryUnknownNameIsAProblem) {
  TlsSettings settings;
  settings.cipher_suites = {"TLS_RSA_WITH_RC4_128_SHA", "TLS_AES_128_GCM_SHA256", "nonsense"};
  settings.curves = {"CurveP257"};
  const Strings expected = {"unknown cipher suite \"TLS_RSA_WITH_RC4_128_SHA\"",
                            "unknown cipher suite \"nonsense\"", "unknown curve \"CurveP257\""};
  EXPECT_EQ(openssl_names(settings).problems, expected);
}

TEST(TlsNamesTest, ACurveThisOpensslLacksIsSkippedUnlessItIsTheOnlyOne) {
  TlsSettings settings;
  settings.curves = {"X25519MLKEM768", "X25519"};
  const TlsNames names = openssl_names(settings);
  EXPECT_EQ(names.curves, "X25519");
  EXPECT_EQ(names.ignored, Strings{"X25519MLKEM768"});
  EXPECT_EQ(names.problems, Strings());

  settings.curves = {"X25519MLKEM768"};
  EXPECT_EQ(openssl_names(settings).problems.size(), 1u);
}

TEST(TlsNamesTest, SuitesOf13AloneLeaveNothingFor12) {
  TlsSettings settings;
  settings.least = TlsVersion::v1_2;
  settings.cipher_suites = {"TLS_AES_128_GCM_SHA256"};
  EXPECT_EQ(openssl_names(settings).least, TlsVersion::v1_3);
  EXPECT_EQ(openssl_names(settings).problems, Strings());

  settings.most = TlsVersion::v1_2;
  EXPECT_EQ(openssl_names(settings).problems.size(), 1u);
}

TEST(TlsNamesTest, TheLeastVersionMayNotBeAboveTheHighest) {
  TlsSettings settings;
  settings.most = TlsVersion::v1_2;
  EXPECT_EQ(openssl_names(settings).problems.size(), 1u);
}

}  // namespace
}  // namespace pilotlight
