#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "autoscaler/token_cache.h"
#include "common/async/event.h"
#include "common/async/scope.h"
#include "common/base/error.h"
#include "common/base/log_limit.h"

namespace pilotlight::autoscaler {

/// One question to the API server.
class ReviewApi {
 public:
  virtual ~ReviewApi() = default;
  /// The answered TokenReview, or why there is none.
  [[nodiscard]] virtual Task<Result<kube::Json>> review(std::string token, TimePoint deadline) = 0;
};

/// Finds out whose tokens are: by asking the API server, once for each token however many wait for
/// it, and by remembering what it said (TokenCache). At most 64 are being asked about at a time, so
/// that a flood of forged ones is not passed on. While the server is away, tokens that it has
/// called good stay good until they end. One shard.
class TokenReviews {
 public:
  /// The calendar, for the ends of tokens.
  using Today = std::function<WallTime()>;

  struct Counts {
    std::uint64_t good = 0;    ///< Answers of the API server, by what they were.
    std::uint64_t bad = 0;     ///< The same.
    std::uint64_t failed = 0;  ///< It did not answer.
    std::uint64_t known = 0;   ///< It was not asked: remembered.
    std::uint64_t excess = 0;  ///< It was not asked: too many at a time.
  };

  TokenReviews(Scope& scope, Clock& clock, ReviewApi& api, Today today);

  /// Suspends until it is known, at most until `deadline`. Errors: what kept the API server from
  /// answering, deadline_exceeded, or queue_full for too many at a time.
  [[nodiscard]] Task<Result<TokenOwner>> owner_of(std::string token, TimePoint deadline);

  [[nodiscard]] const Counts& counts() const noexcept { return counts_; }
  [[nodiscard]] std::size_t remembered() const noexcept { return cache_.size(); }

 private:
  /// A question that is under way, and who waits for its answer.
  struct Flight {
    std::optional<Result<TokenOwner>> answer;
    std::list<Event*> waiting;
  };
  struct Waiter;

  [[nodiscard]] Task<> ask(std::string token, Digest key, std::shared_ptr<Flight> flight);
  [[nodiscard]] Result<TokenOwner> learn(const std::string& token, const Digest& key,
                                         const Result<kube::Json>& review);
  [[nodiscard]] std::shared_ptr<Flight> flight_of(const std::string& token, const Digest& key);

  Scope& scope_;
  Clock& clock_;
  ReviewApi& api_;
  Today today_;
  TokenCache cache_;
  std::map<Digest, std::shared_ptr<Flight>> flights_;
  Counts counts_;
  LogLimit lines_{std::chrono::seconds(10)};
};

}  // namespace pilotlight::autoscaler
