#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/http/server_connection.h"
#include "common/net/tls.h"

namespace pilotlight::proxy {

/// One way to find out whether the app takes requests. Addresses, not names.
struct ReadinessProbe {
  enum class Kind : std::uint8_t { tcp, http };
  Kind kind = Kind::tcp;
  tcp::endpoint address;
  bool https = false;      ///< http: over TLS; the certificate must be good for the address.
  std::string path = "/";  ///< http: path and query.
  std::vector<std::pair<std::string, std::string>> headers;  ///< http: added to the request.
  Duration timeout = std::chrono::milliseconds(100);  ///< Of one try, from connect to answer.
  Duration period{};  ///< 0: aggressive mode, tried until it succeeds; else one try per check.
  std::uint32_t success_threshold = 1;  ///< Successes in a row; of use in aggressive mode only.

  [[nodiscard]] bool aggressive() const noexcept { return period == Duration::zero(); }
};

/// What one try found out.
struct ProbeTry {
  bool connected = false;  ///< The app's port accepts connections.
  bool ok = false;         ///< The probe's own rule is met.
};

/// Tries a probe once. An interface, so that tests decide what each try finds and how long it
/// takes.
class Prober {
 public:
  virtual ~Prober() = default;

  /// Ends at `deadline` or soon after `stop` is raised, with what is known by then.
  [[nodiscard]] virtual Task<ProbeTry> attempt(const ReadinessProbe& probe, TimePoint deadline,
                                               Interruption& stop) = 0;
};

/// Asks over a connection of its own for each try. tcp: it connects. http: GET with the User-Agent
/// `kube-probe//` and the probe's headers; 200 to 399 is a success. https: the same, and the app is
/// verified as Go does it, with the system's roots. Redirects to the same host are
/// followed, ten at the most; one that leads elsewhere is a success, as it is for kubelet.
class SocketProber final : public Prober {
 public:
  explicit SocketProber(http::ShardParts& parts) : parts_(parts) {}

  [[nodiscard]] Task<ProbeTry> attempt(const ReadinessProbe& probe, TimePoint deadline,
                                       Interruption& stop) override;

 private:
  struct Target;
  struct Answer;

  [[nodiscard]] Task<ProbeTry> attempt_http(const ReadinessProbe& probe, TimePoint deadline,
                                            Interruption& stop);
  [[nodiscard]] Task<Answer> get(const ReadinessProbe& probe, const Target& target,
                                 TimePoint deadline, Interruption& stop);
  [[nodiscard]] Task<Answer> ask(Transport& app, const std::string& request);
  [[nodiscard]] Transport secured(TcpStream stream, const tcp::endpoint& to);
  [[nodiscard]] Task<bool> handshake(Transport& app);

  http::ShardParts& parts_;
  std::shared_ptr<const TlsContext> trust_;  // made by the first https probe
  bool handshake_failed_ = false;            // the last one; said once
};

/// Where an answer's `Location` leads, for one who asked `host`:`port`, `path`: the port and path
/// to ask next, or nothing when it is another scheme or host. Pure.
struct Redirect {
  std::uint16_t port = 0;
  std::string path;
};
[[nodiscard]] std::optional<Redirect> follow(std::string_view location, bool https,
                                             std::string_view host, std::uint16_t port,
                                             std::string_view path);

}  // namespace pilotlight::proxy
