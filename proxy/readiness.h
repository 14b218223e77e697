#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/async/event.h"
#include "common/http/server_connection.h"
#include "common/net/tls.h"

namespace pilotlight::proxy {

/// One way to find out whether the app takes requests (knative.md 1.5). Addresses, not names.
struct ReadinessProbe {
  enum class Kind : std::uint8_t { tcp, http };
  Kind kind = Kind::tcp;
  tcp::endpoint address;
  bool https = false;      ///< http: over TLS; the certificate must be good for the address.
  std::string path = "/";  ///< http: path and query.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string host;  ///< http: the Host field; the address when empty.
  Duration timeout = std::chrono::milliseconds(100);
  Duration period{};  ///< 0: aggressive mode, retried until it succeeds.
  std::uint32_t success_threshold = 1;
};

/// How long a probe that has failed rests: 1 % of the time waited so far, 2 ms at the least and
/// 100 ms at the most, so that a start of milliseconds is seen in milliseconds and one of minutes
/// costs nothing. Pure.
[[nodiscard]] Duration probe_interval(Duration waited) noexcept;

/// Told what the readiness loop finds out.
class ReadinessListener {
 public:
  virtual ~ReadinessListener() = default;
  /// The app answers; durations since run() began.
  virtual void app_ready(Duration listening, Duration ready) = 0;
  /// The app refused a connection after it had been ready.
  virtual void app_lost() = 0;
};

/// Knows whether the app behind the sidecar is ready.
///
/// run() probes from the start until the app has answered, then says so and rests until somebody
/// reports a lost app, which starts it again. check() probes once, now, for whoever asks; callers
/// at the same time share one probe. Nothing is cached. Lives on the data shard.
class Readiness {
 public:
  Readiness(http::ShardParts& parts, std::vector<ReadinessProbe> probes,
            ReadinessListener& listener);

  /// Probes until stop().
  [[nodiscard]] Task<> run();
  void stop() noexcept;

  /// One probe of the app, shared with whoever asks meanwhile.
  /// @return whether the app is ready; false when `interruption` came first.
  [[nodiscard]] Task<bool> check(Interruption& interruption);

  /// Somebody could not connect to the app.
  void lost();

  [[nodiscard]] bool ready() const noexcept { return ready_; }

 private:
  [[nodiscard]] Task<> check_for_all();
  [[nodiscard]] Task<bool> probe_all();
  [[nodiscard]] Task<bool> probe(std::size_t index);
  [[nodiscard]] Task<bool> probe_http(Transport& app, std::size_t index);
  [[nodiscard]] Transport secured(TcpStream stream, const ReadinessProbe& probe);
  [[nodiscard]] Task<bool> handshake(Transport& app);

  http::ShardParts& parts_;
  std::vector<ReadinessProbe> probes_;
  ReadinessListener& listener_;
  std::shared_ptr<const TlsContext> trust_;  // made by the first https probe
  std::unique_ptr<Timer> pause_;
  std::vector<Event*> waiting_;  // callers of check() that share the probe under way
  bool checking_ = false;
  bool last_check_ = false;
  bool ready_ = false;
  bool stopped_ = false;
  bool listening_ = false;
  bool handshake_failed_ = false;  // the last one; said once
};

}  // namespace pilotlight::proxy
