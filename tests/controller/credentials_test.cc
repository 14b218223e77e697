#include "controller/credentials.h"

#include <gtest/gtest.h>

namespace pilotlight::controller {
namespace {

using namespace std::chrono_literals;

const std::vector<std::string> kNames = {"pilotlight-webhook.pilotlight-system.svc", "10.96.0.7"};
const WallTime kNow{std::chrono::seconds(1'790'000'000)};

Credentials made(const std::optional<Credentials>& from = std::nullopt, WallTime now = kNow) {
  const auto out = renew_credentials(from, kNames, now);
  EXPECT_TRUE(out);
  return out ? *out : Credentials();
}

TEST(Credentials, AreMadeForTheNamesAndLastAsLongAsTheySay) {
  const Credentials first = made();
  EXPECT_TRUE(certificate_fits(first.serving, first.authority.certificate, kNames));
  EXPECT_FALSE(certificate_fits(first.serving, first.authority.certificate, {"example.com"}));
  EXPECT_FALSE(certificate_fits(first.serving, made().authority.certificate, kNames));
  EXPECT_EQ(first.bundle, first.authority.certificate);
  EXPECT_EQ(certificate_end(first.serving.certificate), kNow + kServingLife);
  EXPECT_EQ(certificate_end(first.authority.certificate), kNow + kAuthorityLife);
}

TEST(Credentials, GoodOnesStayAsTheyAre) {
  const Credentials first = made();
  EXPECT_EQ(made(first, kNow + kServingLife - kServingRenewal - 1s), first);
}

TEST(Credentials, ACertificateNearItsEndIsReplacedUnderTheSameAuthority) {
  const Credentials first = made();
  const Credentials next = made(first, kNow + kServingLife - kServingRenewal);
  EXPECT_NE(next.serving, first.serving);
  EXPECT_EQ(next.authority, first.authority);
  EXPECT_EQ(next.bundle, first.bundle);
}

TEST(Credentials, OtherNamesNeedAnotherCertificate) {
  const Credentials first = made();
  const auto next = renew_credentials(first, {"other.svc"}, kNow);
  ASSERT_TRUE(next);
  EXPECT_NE(next->serving, first.serving);
  EXPECT_EQ(next->authority, first.authority);
}

TEST(Credentials, AnAuthorityIsKnownLongBeforeItSigns) {
  const Credentials first = made();
  const WallTime heir_made = kNow + kAuthorityLife - kAuthorityRenewal;
  const Credentials both = made(first, heir_made);
  EXPECT_EQ(both.authority, first.authority);
  EXPECT_TRUE(certificate_fits(both.serving, first.authority.certificate, kNames));
  EXPECT_EQ(both.bundle, both.successor.certificate + first.authority.certificate);
  EXPECT_EQ(read_credentials({{"data", secret_data(both)}}), both);

  const WallTime succession = kNow + kAuthorityLife - kSuccession;
  const Credentials before = made(both, succession - 1s);
  EXPECT_EQ(before.authority, first.authority);
  EXPECT_EQ(before.successor, both.successor) << "one successor suffices";

  const Credentials after = made(before, succession);
  EXPECT_EQ(after.authority, both.successor);
  EXPECT_EQ(after.successor, KeyPair());
  EXPECT_EQ(after.bundle, both.bundle) << "the old one stays trusted";
  EXPECT_TRUE(certificate_fits(after.serving, after.authority.certificate, kNames));
  EXPECT_EQ(made(after, succession + 24h), after);
}

TEST(Credentials, ASuccessorThatWasMadeLateIsKnownForAsLong) {
  const Credentials first = made();
  const WallTime late = kNow + kAuthorityLife - kSuccession + 24h;
  const Credentials both = made(first, late);
  EXPECT_EQ(both.authority, first.authority);
  EXPECT_EQ(made(both, late + kSuccession - 24h * 40).authority, first.authority);
  EXPECT_EQ(made(both, kNow + kAuthorityLife - kServingRenewal).authority, both.successor)
      << "not later than its own certificates need";
}

TEST(Credentials, WhereNoAuthorityIsValidTheNewOneSignsAtOnce) {
  const Credentials first = made();
  const Credentials next = made(first, kNow + kAuthorityLife);
  EXPECT_NE(next.authority, first.authority);
  EXPECT_EQ(next.successor, KeyPair());
  EXPECT_TRUE(certificate_fits(next.serving, next.authority.certificate, kNames));
}

TEST(Credentials, ASecretHoldsThem) {
  const Credentials first = made();
  EXPECT_EQ(read_credentials({{"data", secret_data(first)}}), first);
  kube::Json broken = secret_data(first);
  broken["tls.key"] = "!";
  EXPECT_EQ(read_credentials({{"data", broken}}), std::nullopt);
  EXPECT_EQ(read_credentials({{"data", nullptr}}), std::nullopt);
}

TEST(Certificate, OfAnotherProgramIsKeptLikeOurOwn) {
  const KeyPair authority = made().authority;
  const std::vector<std::string> names = {"pilotlight-autoscaler"};
  const auto renewed = [&](const KeyPair& found, const KeyPair& by, WallTime now) {
    const MadePair out = renew_certificate(found, by, names, now);
    EXPECT_TRUE(out);
    return out ? *out : KeyPair();
  };
  const KeyPair first = renewed(KeyPair(), authority, kNow);
  EXPECT_TRUE(certificate_fits(first, authority.certificate, names));
  EXPECT_EQ(renewed(first, authority, kNow + 59 * 24h), first);
  EXPECT_NE(renewed(first, authority, kNow + kServingLife - kServingRenewal), first);
  const KeyPair other = made().authority;
  EXPECT_TRUE(certificate_fits(renewed(first, other, kNow), other.certificate, names))
      << "the authority is another";
}

TEST(Certificate, ASecretHoldsItWithoutTheAuthority) {
  const KeyPair pair = made().serving;
  EXPECT_EQ(read_pair({{"data", pair_data(pair)}}), pair);
  EXPECT_EQ(pair_data(pair).size(), 2U);
  EXPECT_EQ(read_pair({{"metadata", {{"name", "empty"}}}}), KeyPair());
}

TEST(Credentials, NonsenseIsReplaced) {
  Credentials bad;
  bad.bundle = bad.authority.certificate = bad.serving.certificate = "nonsense";
  const Credentials next = made(bad);
  EXPECT_TRUE(certificate_fits(next.serving, next.authority.certificate, kNames));
}

}  // namespace
}  // namespace pilotlight::controller
