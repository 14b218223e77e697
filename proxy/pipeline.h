#pragma once

#include <optional>
#include <string>

#include "common/flow/admission.h"
#include "common/flow/drain.h"
#include "common/http/connection_set.h"
#include "common/http/exchange.h"
#include "common/stats/concurrency_meter.h"
#include "proxy/observer.h"
#include "proxy/readiness.h"

namespace pilotlight::proxy {

/// Told when traffic begins and ends.
class TrafficListener {
 public:
  virtual ~TrafficListener() = default;
  /// A request has come and no other is there. It has not been counted yet.
  virtual void became_busy() = 0;
  /// The last request has ended.
  virtual void became_idle() = 0;
  /// The last downstream connection has ended.
  virtual void became_quiet() = 0;
};

/// LIFE OF A REQUEST in a sidecar.
///
/// One coroutine per downstream connection: read a head, answer it if it is a probe, else count it
/// as demand, admit it, forward it to the app and relay the answer. The permit is held until the
/// exchange with the app has ended, so the app never runs more than the limit. Lives on the
/// sidecar's one data shard.
class Pipeline {
 public:
  struct Parts {
    http::ShardParts& http;
    Admission& admission;
    http::UpstreamPool& app;
    ConcurrencyMeter& meter;
    Readiness& readiness;
    DrainFence& fence;
    TrafficListener& listener;
    Observer& observer;
  };
  struct Params {
    http::RequestClocks clocks{std::chrono::minutes(5), std::nullopt, std::nullopt};
    /// After a client has left, its permit waits this long for the app to close its side.
    Duration hang_up_grace = std::chrono::milliseconds(100);
    /// Wait for the app's answer instead: for servers that go on computing.
    bool hold_permit_until_answered = false;
    /// A direct client's request whose connect the app refuses waits for the app, with its permit,
    /// instead of a 502. An activator's goes back at once: it can be placed elsewhere.
    bool wait_for_app = false;
  };

  Pipeline(Parts parts, Params params) : parts_(parts), params_(params) {}
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  /// Serves one connection to its end. Spawn it in the shard's scope.
  [[nodiscard]] Task<> serve(Transport stream);

  /// Every answer from now on is its connection's last, and idle connections end.
  void close_connections() noexcept { connections_.close(); }
  /// Ends everything that runs, now: within a second, for the clients and apps that need to be
  /// told.
  void stop() noexcept { connections_.stop(); }

  /// Requests between their head and the end of their answer. Probes do not count.
  [[nodiscard]] std::uint32_t in_flight() const noexcept { return requests_; }
  [[nodiscard]] std::size_t connections() const noexcept { return connections_.size(); }

 private:
  class Request;

  [[nodiscard]] bool is_probe(const http::RequestHead& head) const noexcept;
  [[nodiscard]] Task<> answer_probe(http::ServerConnection& down);
  /// `exchange` is the connection's place for one: inside, this frame would be too large for Asio
  /// to keep (1,020 bytes) and cost an allocation per request.
  [[nodiscard]] Task<> run(http::ServerConnection& down, std::optional<http::Exchange>& exchange);
  [[nodiscard]] Task<> bounce(http::ServerConnection& down, http::Bounce why);
  [[nodiscard]] Task<Result<Admission::Permit>> admit(http::ServerConnection& down,
                                                      Request& request, TimePoint deadline);
  [[nodiscard]] Task<Result<>> tell_to_continue(http::ServerConnection& down,
                                                http::ExchangePlan& plan);
  [[nodiscard]] Task<Result<>> wait_for_app(http::ServerConnection& down, TimePoint deadline);
  [[nodiscard]] Task<> refuse_unadmitted(http::ServerConnection& down, Request& request,
                                         ErrorCode error);
  [[nodiscard]] Task<bool> undialed(http::ServerConnection& down, Request& request, ErrorCode error,
                                    TimePoint deadline);
  /// The text of a 502.
  [[nodiscard]] std::string app_failure(const ErrorCode& error) const;
  [[nodiscard]] Task<> finish_failed(http::ServerConnection& down, Request& request,
                                     http::Exchange& exchange, http::ExchangeEnd end);
  [[nodiscard]] Task<> refuse(http::ServerConnection& down, Request& request, ErrorCode error,
                              std::string detail);

  Parts parts_;
  Params params_;
  http::ConnectionSet connections_;
  std::uint32_t requests_ = 0;
};

}  // namespace pilotlight::proxy
