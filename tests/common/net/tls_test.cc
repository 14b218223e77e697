#include "common/net/tls.h"

#include <gtest/gtest.h>

#include "tests/support/tls_identity.h"

namespace pilotlight {
namespace {

TEST(TlsContextTest, SaysWhatIsWrongWithAPair) {
  const test::TlsIdentity one = test::make_tls_identity("one");
  const test::TlsIdentity two = test::make_tls_identity("two");
  const TlsSettings settings;
  EXPECT_TRUE(TlsContext::server(settings, one.certificate + two.certificate, one.key));
  EXPECT_EQ(TlsContext::server(settings, one.certificate, two.key).error(),
            "the key: key values mismatch");
  EXPECT_TRUE(TlsContext::server(settings, "", one.key).error().starts_with("the certificate: "));
  EXPECT_TRUE(TlsContext::server(settings, one.certificate, "").error().starts_with("the key: "));
  const std::string cut = one.certificate.substr(0, one.certificate.size() / 2);
  EXPECT_TRUE(TlsContext::server(settings, cut, one.key).error().starts_with("the certificate: "));
  EXPECT_TRUE(TlsContext::server(settings, one.certificate + cut, one.key)
                  .error()
                  .starts_with("the certificate's chain: "));
}

TEST(TlsContextTest, EverySuiteAndCurveWeKnowIsOneOpensslHas) {
  const test::TlsIdentity one = test::make_tls_identity("one");
  TlsSettings settings;
  settings.least = TlsVersion::v1_2;
  settings.curves = {"X25519", "CurveP256", "P-384", "P-521"};
  EXPECT_TRUE(TlsContext::server(settings, one.certificate, one.key));
  settings.cipher_suites = {"TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256",
                            "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"};
  EXPECT_TRUE(TlsContext::server(settings, one.certificate, one.key));
}

}  // namespace
}  // namespace pilotlight
