#pragma once

#include <optional>

#include "common/http/exchange.h"
#include "proxy/metrics.h"
#include "proxy/request_log.h"

namespace pilotlight::proxy {

/// What is known about one request, filled in by the pipeline on its way.
struct RequestRecord {
  TimePoint begun{};
  TimePoint admitted{};  ///< When it had its permit; `begun` when it did not wait.
  Outcome outcome = Outcome::client_left;
  unsigned status = 0;                          ///< Of the answer; 0: none was sent.
  bool forwarded = false;                       ///< It reached the app, or was to.
  std::optional<std::uint64_t> request_bytes;   ///< Of the body; none: not announced or passed.
  std::optional<std::uint64_t> response_bytes;  ///< Of the app's body; none: it did not pass.
  RequestLog::Noted noted;                      ///< Empty without a request log.
};

/// Counts what happens to requests, and logs them when asked to. The hot path costs a handful of
/// increments. Lives on the data shard.
class Observer {
 public:
  /// `log` may be null: nothing is logged.
  explicit Observer(RequestLog* log) : log_(log) {}

  void begin(RequestRecord& record, http::ServerConnection& down);
  /// The permit came, after a wait or at once.
  void admitted(RequestRecord& record, TimePoint now, bool waited) noexcept;
  void took_upstream(bool reused) noexcept;
  /// `exchange` has ended well; it tells the size of what was not announced.
  void answered(RequestRecord& record, const http::ResponseHead& head,
                const http::Exchange& exchange) noexcept;
  void end(RequestRecord& record, TimePoint now);

  void bounced(http::Bounce why) noexcept;
  void bad_request() noexcept { count(Outcome::bad_request); }

  /// A probe: what the log wants of it, before its head is gone; then its answer.
  [[nodiscard]] RequestLog::Noted begin_probe(http::ServerConnection& down);
  void end_probe(const RequestLog::Noted& noted, unsigned status, std::size_t bytes,
                 Duration latency);

  [[nodiscard]] const Cells& cells() const noexcept { return cells_; }
  [[nodiscard]] std::uint64_t log_dropped() const noexcept {
    return log_ == nullptr ? 0 : log_->dropped();
  }

 private:
  void count(Outcome outcome) noexcept { cells_.requests[static_cast<std::size_t>(outcome)].add(); }
  [[nodiscard]] RequestLog::Noted note(http::ServerConnection& down) const;

  Cells cells_;
  RequestLog* log_;
};

/// The outcome that goes with a refusal.
[[nodiscard]] Outcome outcome_of(RefusalCause cause) noexcept;

}  // namespace pilotlight::proxy
