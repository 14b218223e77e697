#include "autoscaler/token_cache.h"

#include <gtest/gtest.h>

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1h};

TokenOwner good() {
  TokenOwner owner;
  owner.authenticated = true;
  owner.pod = "r1";
  return owner;
}

TEST(TokenCache, AGoodTokenIsFreshForFiveMinutesAndKnownUntilItEnds) {
  TokenCache cache;
  const Digest token = digest_of("a");
  cache.put(token, good(), kStart, kStart + 1h);
  ASSERT_TRUE(cache.find(token, kStart + 5min - 1ns));
  EXPECT_TRUE(cache.find(token, kStart + 5min - 1ns)->fresh);
  EXPECT_FALSE(cache.find(token, kStart + 5min)->fresh);
  EXPECT_EQ(cache.find(token, kStart + 59min)->owner.pod, "r1");
  EXPECT_FALSE(cache.find(token, kStart + 1h));
  EXPECT_FALSE(cache.find(digest_of("b"), kStart));
}

TEST(TokenCache, ABadOneIsForgottenAfterTenSeconds) {
  TokenCache cache;
  const Digest token = digest_of("a");
  cache.put(token, TokenOwner(), kStart, kStart + 1h);
  ASSERT_TRUE(cache.find(token, kStart + 10s - 1ns));
  EXPECT_TRUE(cache.find(token, kStart + 10s - 1ns)->fresh);
  EXPECT_FALSE(cache.find(token, kStart + 10s));
}

TEST(TokenCache, AnotherAnswerReplacesTheFirst) {
  TokenCache cache;
  const Digest token = digest_of("a");
  cache.put(token, good(), kStart, kStart + 1h);
  cache.put(token, TokenOwner(), kStart + 6min, kStart + 1h);
  EXPECT_FALSE(cache.find(token, kStart + 6min)->owner.authenticated) << "revoked meanwhile";
  EXPECT_EQ(cache.size(), 1U);
}

TEST(TokenCache, AFloodOfBadOnesIsBoundedAndPushesNoGoodOneOut) {
  TokenCache cache;
  cache.put(digest_of("good"), good(), kStart, kStart + 1h);
  for (int n = 0; n < 3000; ++n) {
    cache.put(digest_of(std::to_string(n)), TokenOwner(), kStart + n * 1ms, kStart + 1h);
  }
  EXPECT_EQ(cache.size(), TokenCache::kBadLimit + 1);
  EXPECT_TRUE(cache.find(digest_of("good"), kStart + 3s));
  EXPECT_TRUE(cache.find(digest_of("2999"), kStart + 3s)) << "the oldest goes";
  EXPECT_FALSE(cache.find(digest_of("0"), kStart + 3s));
}

}  // namespace
}  // namespace pilotlight::autoscaler
