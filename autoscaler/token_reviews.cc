#include "autoscaler/token_reviews.h"

#include <algorithm>

#include "common/base/log.h"

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kAtATime = 64;
constexpr Duration kReviewTime = 10s;
// For a token that was good a while ago, when the server is away.
constexpr Duration kPatience = 500ms;

}  // namespace

/// Who waits for an answer: in the frame of owner_of(), and gone with it.
struct TokenReviews::Waiter {
  Waiter(Flight& f, Clock& clock)
      : flight(f), answered(clock), place(f.waiting.insert(f.waiting.end(), &answered)) {}
  ~Waiter() { flight.waiting.erase(place); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  Flight& flight;
  Event answered;
  std::list<Event*>::iterator place;
};

TokenReviews::TokenReviews(Scope& scope, Clock& clock, ReviewApi& api, Today today)
    : scope_(scope), clock_(clock), api_(api), today_(std::move(today)) {}

Task<Result<TokenOwner>> TokenReviews::owner_of(std::string token, TimePoint deadline) {
  const Digest key = digest_of(token);
  const auto known = cache_.find(key, clock_.now());
  if (known && known->fresh) {
    ++counts_.known;
    co_return known->owner;
  }
  const std::shared_ptr<Flight> flight = flight_of(token, key);
  if (flight != nullptr && !flight->answer) {
    Waiter waiter(*flight, clock_);
    const TimePoint until = known ? std::min(deadline, clock_.now() + kPatience) : deadline;
    co_await waiter.answered.wait(until);
  }
  const bool answered = flight != nullptr && flight->answer;
  if (answered && flight->answer->has_value()) co_return flight->answer->value();
  if (known) co_return known->owner;
  if (answered) co_return flight->answer->error();
  co_return make_error_code(flight == nullptr ? FlowError::queue_full
                                              : FlowError::deadline_exceeded);
}

/// The one under way, or a new one; none when there are too many.
std::shared_ptr<TokenReviews::Flight> TokenReviews::flight_of(const std::string& token,
                                                              const Digest& key) {
  const auto found = flights_.find(key);
  if (found != flights_.end()) return found->second;
  if (flights_.size() >= kAtATime) {
    ++counts_.excess;
    return nullptr;
  }
  auto flight = std::make_shared<Flight>();
  flights_.emplace(key, flight);
  scope_.spawn(ask(token, key, flight));
  return flight;
}

Task<> TokenReviews::ask(std::string token, Digest key, std::shared_ptr<Flight> flight) {
  const TimePoint deadline = clock_.now() + kReviewTime;
  const Result<kube::Json> review = co_await api_.review(token, deadline);
  flight->answer = learn(token, key, review);
  flights_.erase(key);
  for (Event* waiting : flight->waiting) waiting->set();
}

Result<TokenOwner> TokenReviews::learn(const std::string& token, const Digest& key,
                                       const Result<kube::Json>& review) {
  const TimePoint now = clock_.now();
  if (!review) {
    ++counts_.failed;
    const auto held_back = lines_.pass(now);
    if (held_back) {
      log_error("tokens cannot be reviewed",
                {{"error", review.error().message()}, {"lines_held_back", *held_back}});
    }
    return review.error();
  }
  const TokenOwner owner = read_review(*review);
  ++(owner.authenticated ? counts_.good : counts_.bad);
  // One that does not say when it ends is asked about again as soon as it is not fresh. What a bad
  // one claims is anybody's words.
  std::chrono::seconds lasts = std::chrono::minutes(5);
  if (owner.authenticated) {
    const TokenClaims claims = read_claims(token);
    if (claims.expires) lasts = *claims.expires - today_();
  }
  cache_.put(key, owner, now, now + std::clamp<std::chrono::seconds>(lasts, 0s, 24h));
  return owner;
}

}  // namespace pilotlight::autoscaler
