#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/kube/json.h"
#include "common/net/certificates.h"
#include "common/wire/frames.h"
#include "common/wire/gate.h"

namespace pilotlight::autoscaler {

/// Whom a token must be meant for, and whose tokens activators have.
inline constexpr const char* kWireAudience = "pilotlight";
inline constexpr const char* kActivatorAccount = "pilotlight-activator";

/// Whose a token is, as the API server says.
struct TokenOwner {
  bool authenticated = false;  ///< Valid, and meant for us; else the rest is empty.
  std::string name_space;
  std::string account;  ///< Of the service account; "" for other users.
  std::string pod;      ///< That the token is bound to; "" for none.
  std::string pod_uid;

  friend bool operator==(const TokenOwner&, const TokenOwner&) = default;
};

/// Of a TokenReview that was answered. Total: what is not as expected is not authenticated.
[[nodiscard]] TokenOwner read_review(const kube::Json& review);

/// What is to be asked of the API server.
[[nodiscard]] kube::Json token_review(const std::string& token);

/// What a token says of itself. Nobody has checked it: good for how long an authenticated one
/// lasts, and for telling why another one is not.
struct TokenClaims {
  std::vector<std::string> audiences;
  std::optional<WallTime> expires;
};

/// Total: nothing is known of what is no JSON Web Token.
[[nodiscard]] TokenClaims read_claims(std::string_view token);

/// What says of a pod who speaks for it.
struct PodIdentity {
  std::string name_space;
  std::string name;
  std::string uid;
  std::string revision;               ///< By its label.
  std::set<std::string> addresses;    ///< None before the kubelet has told.
  std::int64_t sidecar_restarts = 0;  ///< Of its container: each one is a new process.
};

[[nodiscard]] PodIdentity view_identity(const kube::Json& pod);

/// What the token says against the HELLO: whether it may play its role at all, for that namespace
/// and replica. `own_space` is where we and the activators run.
[[nodiscard]] std::optional<wire::Objection> object_to_token(const wire::Hello& hello,
                                                             const TokenOwner& owner,
                                                             const std::string& own_space);

/// Whether the `ip:port` that a HELLO gives is at the pod; true too while the pod's addresses are
/// not known.
[[nodiscard]] bool may_be_at(const PodIdentity& pod, const std::string& endpoint);

/// What its pod says against a sidecar's HELLO: another pod of that name, another revision, another
/// address, or a newer process than `newest_epoch`, if that one has spoken.
[[nodiscard]] std::optional<wire::Objection> object_to_pod(
    const wire::Hello& hello, const TokenOwner& owner, const PodIdentity& pod,
    std::optional<std::uint64_t> newest_epoch);

}  // namespace pilotlight::autoscaler
