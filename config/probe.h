#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/problems.h"

namespace pilotlight::config {

/// One readiness probe of the app, as the sidecar runs it. Addresses and numbers
/// only: names were resolved by whoever wrote the JSON.
struct Probe {
  enum class Kind : std::uint8_t { tcp, http };

  Kind kind = Kind::tcp;
  std::string host;        ///< An IP address; empty is 127.0.0.1.
  std::uint16_t port = 0;  ///< 0 is the app's port.
  bool https = false;      ///< http: over TLS, with a certificate that is verified.
  std::string path;        ///< http: path and query, beginning with `/`; empty is "/".
  std::vector<std::pair<std::string, std::string>> headers;  ///< http: added to the request.
  /// 0: tried again and again until it succeeds; otherwise one try each.
  std::chrono::milliseconds period{0};
  /// Of one try. 100 ms with period 0 whatever `timeoutSeconds` says, as Knative's.
  std::chrono::milliseconds timeout{100};
  std::uint32_t success_threshold = 1;  ///< Successes in a row that count; used with period 0.

  friend bool operator==(const Probe&, const Probe&) = default;
};

/// Reads core/v1 Probe JSON: one object, or with `array` a list of them. Empty text is no probe.
/// tcpSocket and httpGet (scheme HTTP or HTTPS) are known; exec and grpc are problems that name
/// them. `where` begins every problem: the variable's name.
[[nodiscard]] Checked<std::vector<Probe>> parse_probes(std::string_view json, bool array,
                                                       std::string_view where);

}  // namespace pilotlight::config
