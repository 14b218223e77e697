#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/wire/frames.h"

namespace pilotlight::wire {

/// Why a connection came to nothing before its WELCOME. Values are labels of a metric.
enum class Refusal : std::uint8_t {
  limit,     ///< As many connections as there may be.
  tls,       ///< No TLS handshake, or a plain HELLO where TLS is spoken.
  silent,    ///< No HELLO in time.
  protocol,  ///< Another frame than HELLO.
  version,   ///< No common version.
  token,     ///< No token, or one that is not valid.
  audience,  ///< A valid token that is meant for somebody else.
  role,      ///< A token of somebody who may not play that role.
  pod,       ///< Another pod's name, namespace or address than the token's.
  revision,  ///< Another revision than the pod's.
  epoch,     ///< A newer process of that pod has spoken already.
  unknown,   ///< Could not be found out in time: worth another try.
};
inline constexpr std::size_t kRefusals = 12;

/// "limit", ...
[[nodiscard]] std::string_view name_of(Refusal why) noexcept;

/// What ERROR says of it.
[[nodiscard]] ErrorCause cause_of(Refusal why) noexcept;

/// What speaks against a HELLO.
struct Objection {
  Refusal why = Refusal::unknown;
  std::string text;  ///< For people; never a secret.
};

/// Decides who may speak on a Server.
class Gate {
 public:
  virtual ~Gate() = default;

  /// What speaks against the sender of `hello`, or nothing. Suspends until `deadline` at the
  /// longest; cancelled when the connection ends before. `hello` lives as long.
  [[nodiscard]] virtual Task<std::optional<Objection>> check(const Hello& hello,
                                                             TimePoint deadline) = 0;
};

}  // namespace pilotlight::wire
