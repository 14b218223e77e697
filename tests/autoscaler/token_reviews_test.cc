#include "autoscaler/token_reviews.h"

#include <gtest/gtest.h>

#include "tests/autoscaler/tokens.h"
#include "tests/support/sim_clock.h"

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

class TokenReviewsTest : public ::testing::Test {
 protected:
  ~TokenReviewsTest() override {
    api.release();
    clock.advance(20s);
    EXPECT_EQ(scope.size(), 0U) << "something did not end";
  }

  struct Asked {
    std::optional<Result<TokenOwner>> answer;
  };

  static Task<> wait_for(TokenReviews& of, std::string what, TimePoint deadline,
                         std::shared_ptr<Asked> asked) {
    asked->answer = co_await of.owner_of(std::move(what), deadline);
  }

  std::shared_ptr<Asked> ask(const std::string& what, Duration patience = 1s) {
    auto asked = std::make_shared<Asked>();
    scope.spawn(wait_for(reviews, what, clock.now() + patience, asked));
    clock.settle();
    return asked;
  }

  asio::io_context loop{1};
  test::SimClock clock{loop};
  Scope scope{loop.get_executor()};
  ScriptedReviews api{clock};
  TokenReviews reviews{scope, clock, api, [] { return WallTime(std::chrono::seconds(0)); }};
  const std::string token = web_token(kForUs);  // ends at 3600 s
};

TEST_F(TokenReviewsTest, AGoodTokenIsAskedAboutOnce) {
  api.answers[token] = reviewed("default", "models", "r1");
  EXPECT_EQ((*ask(token)->answer)->pod, "r1");
  EXPECT_EQ((*ask(token)->answer)->pod, "r1");
  EXPECT_EQ(api.asked, std::vector<std::string>{token});
  EXPECT_EQ(reviews.counts().good, 1U);
  EXPECT_EQ(reviews.counts().known, 1U);
  clock.advance(6min);
  EXPECT_EQ((*ask(token)->answer)->pod, "r1");
  EXPECT_EQ(api.asked.size(), 2U) << "it may have been revoked";
}

TEST_F(TokenReviewsTest, ManyThatWaitForOneTokenAreOneQuestion) {
  api.answers[token] = reviewed("default", "models", "r1");
  api.hold();
  const auto first = ask(token);
  const auto second = ask(token);
  EXPECT_FALSE(first->answer || second->answer);
  api.release();
  clock.settle();
  EXPECT_TRUE(first->answer->has_value() && second->answer->has_value());
  EXPECT_EQ(api.asked.size(), 1U);
}

TEST_F(TokenReviewsTest, ASlowAnswerComesTooLateButIsRemembered) {
  api.answers[token] = reviewed("default", "models", "r1");
  api.hold();
  const auto asked = ask(token, 1s);
  clock.advance(1s);
  ASSERT_TRUE(asked->answer);
  EXPECT_EQ(asked->answer->error(), FlowError::deadline_exceeded);
  api.release();
  clock.settle();
  EXPECT_TRUE(ask(token)->answer->has_value());
  EXPECT_EQ(api.asked.size(), 1U);
}

TEST_F(TokenReviewsTest, WhileTheServerIsAwayWhatWasGoodStaysSoUntilItEnds) {
  api.answers[token] = reviewed("default", "models", "r1");
  ASSERT_TRUE(ask(token)->answer->has_value());
  api.away = true;
  clock.advance(30min);
  EXPECT_TRUE(ask(token)->answer->has_value());
  EXPECT_FALSE(ask(web_token("e30"))->answer->has_value()) << "a token that was never seen";
  EXPECT_EQ(reviews.counts().failed, 2U);
  clock.advance(31min);
  EXPECT_FALSE(ask(token)->answer->has_value()) << "it has ended";
}

TEST_F(TokenReviewsTest, ASilentServerDelaysAKnownTokenByHalfASecond) {
  api.answers[token] = reviewed("default", "models", "r1");
  ASSERT_TRUE(ask(token)->answer->has_value());
  clock.advance(6min);
  api.hold();
  const auto asked = ask(token, 2s);
  clock.advance(499ms);
  EXPECT_FALSE(asked->answer);
  clock.advance(1ms);
  ASSERT_TRUE(asked->answer);
  EXPECT_TRUE(asked->answer->has_value());
}

TEST_F(TokenReviewsTest, ABadTokenIsNotAskedAboutAgainAtOnce) {
  EXPECT_FALSE((*ask(token)->answer)->authenticated);
  EXPECT_FALSE((*ask(token)->answer)->authenticated);
  EXPECT_EQ(api.asked.size(), 1U);
  clock.advance(11s);
  EXPECT_FALSE((*ask(token)->answer)->authenticated);
  EXPECT_EQ(api.asked.size(), 2U);
}

TEST_F(TokenReviewsTest, AFloodIsNotPassedOn) {
  api.hold();
  std::vector<std::shared_ptr<Asked>> flood;
  for (int n = 0; n < 70; ++n) flood.push_back(ask(std::to_string(n)));
  EXPECT_EQ(api.asked.size(), 64U);
  ASSERT_TRUE(flood.back()->answer);
  EXPECT_EQ(flood.back()->answer->error(), FlowError::queue_full);
  EXPECT_EQ(reviews.counts().excess, 6U);
  clock.advance(10s);
}

TEST_F(TokenReviewsTest, WhoLeavesWhileWaitingLeavesNothingBehind) {
  api.hold();
  Scope leaving(loop.get_executor());
  const auto asked = std::make_shared<Asked>();
  leaving.spawn(wait_for(reviews, token, clock.now() + 1s, asked));
  clock.settle();
  leaving.cancel(asio::cancellation_type::terminal);
  clock.settle();
  clock.advance(1s);  // at its deadline at the latest
  EXPECT_EQ(leaving.size(), 0U);
  api.release();
  clock.settle();
  EXPECT_EQ(reviews.remembered(), 1U) << "the answer came all the same";
}

}  // namespace
}  // namespace pilotlight::autoscaler
