#include "autoscaler/identity.h"

#include <algorithm>

#include <fmt/format.h>

#include "common/base/base64.h"
#include "common/net/listener.h"
#include "config/inject.h"
#include "config/revision.h"

namespace pilotlight::autoscaler {
namespace {

using kube::Json;
using wire::Objection;
using wire::Refusal;

constexpr std::string_view kAccountPrefix = "system:serviceaccount:";

Objection objection(Refusal why, std::string text) {
  Objection out;
  out.why = why;
  out.text = std::move(text);
  return out;
}

/// The first of a list of texts; "" when there is none.
std::string first_text(const Json& status, std::string_view key) {
  const Json& values = kube::array(status, {"user", "extra", key});
  return values.empty() ? std::string() : std::string(kube::text(values.front(), {}));
}

bool names_audience(const Json& list) {
  return std::any_of(list.begin(), list.end(),
                     [](const Json& each) { return kube::text(each, {}) == kWireAudience; });
}

}  // namespace

TokenOwner read_review(const Json& review) {
  TokenOwner owner;
  const Json* status = kube::find(review, {"status"});
  if (status == nullptr || !kube::boolean(*status, {"authenticated"}, false)) return owner;
  // A server that knows nothing of audiences names none: then this token could be for anybody.
  if (!names_audience(kube::array(*status, {"audiences"}))) return owner;
  owner.authenticated = true;
  owner.pod = first_text(*status, "authentication.kubernetes.io/pod-name");
  owner.pod_uid = first_text(*status, "authentication.kubernetes.io/pod-uid");
  std::string_view user = kube::text(*status, {"user", "username"});
  if (!user.starts_with(kAccountPrefix)) return owner;
  user.remove_prefix(kAccountPrefix.size());
  const auto colon = user.find(':');
  if (colon == std::string_view::npos) return owner;
  owner.name_space = user.substr(0, colon);
  owner.account = user.substr(colon + 1);
  return owner;
}

Json token_review(const std::string& token) {
  return {{"apiVersion", "authentication.k8s.io/v1"},
          {"kind", "TokenReview"},
          {"spec", {{"token", token}, {"audiences", Json::array({kWireAudience})}}}};
}

TokenClaims read_claims(std::string_view token) {
  TokenClaims claims;
  const auto begin = token.find('.');
  const auto end = token.rfind('.');
  if (begin == std::string_view::npos || begin == end) return claims;
  const auto payload = from_base64url(token.substr(begin + 1, end - begin - 1));
  const auto parsed = payload ? kube::parse_json(*payload) : std::nullopt;
  if (!parsed) return claims;
  for (const Json& each : kube::array(*parsed, {"aud"})) {
    claims.audiences.emplace_back(kube::text(each, {}));
  }
  const std::string_view only = kube::text(*parsed, {"aud"});
  if (!only.empty()) claims.audiences.emplace_back(only);
  const auto expires = kube::integer(*parsed, {"exp"});
  if (expires) claims.expires = WallTime(std::chrono::seconds(*expires));
  return claims;
}

PodIdentity view_identity(const Json& pod) {
  PodIdentity out;
  out.name_space = kube::namespace_of(pod);
  out.name = kube::name_of(pod);
  out.uid = kube::text(pod, {"metadata", "uid"});
  out.revision = kube::label_of(pod, config::kRevisionLabel);
  for (const Json& each : kube::array(pod, {"status", "podIPs"})) {
    out.addresses.emplace(kube::text(each, {"ip"}));
  }
  out.addresses.emplace(kube::text(pod, {"status", "podIP"}));
  out.addresses.erase("");
  for (const char* which : {"initContainerStatuses", "containerStatuses"}) {
    for (const Json& status : kube::array(pod, {"status", which})) {
      if (kube::text(status, {"name"}) != config::kSidecarName) continue;
      out.sidecar_restarts = kube::integer(status, {"restartCount"}).value_or(0);
    }
  }
  return out;
}

std::optional<Objection> object_to_token(const wire::Hello& hello, const TokenOwner& owner,
                                         const std::string& own_space) {
  if (!owner.authenticated) {
    const TokenClaims claims = read_claims(hello.token);
    const bool ours = std::find(claims.audiences.begin(), claims.audiences.end(), kWireAudience) !=
                      claims.audiences.end();
    if (ours || claims.audiences.empty())
      return objection(Refusal::token, "the token is not valid");
    return objection(Refusal::audience,
                     "the token is for another audience than " + std::string(kWireAudience));
  }
  if (owner.account.empty()) return objection(Refusal::role, "the token is no service account's");
  if (hello.role == wire::Role::activator) {
    if (owner.name_space == own_space && owner.account == kActivatorAccount) return std::nullopt;
    return objection(Refusal::role, fmt::format("{}/{} is no activator's service account",
                                                owner.name_space, owner.account));
  }
  if (owner.pod.empty()) return objection(Refusal::pod, "the token is bound to no pod");
  if (owner.name_space == hello.revision.name_space && owner.pod == hello.replica) {
    return std::nullopt;
  }
  return objection(Refusal::pod,
                   fmt::format("the token is of pod {}/{}, HELLO is of {}/{}", owner.name_space,
                               owner.pod, hello.revision.name_space, hello.replica));
}

bool may_be_at(const PodIdentity& pod, const std::string& endpoint) {
  if (pod.addresses.empty()) return true;
  const Result<tcp::endpoint> where = parse_endpoint(endpoint);
  return where && pod.addresses.contains(where->address().to_string());
}

std::optional<Objection> object_to_pod(const wire::Hello& hello, const TokenOwner& owner,
                                       const PodIdentity& pod,
                                       std::optional<std::uint64_t> newest_epoch) {
  if (owner.pod_uid != pod.uid) {
    return objection(Refusal::pod, "the token is of an earlier pod of that name");
  }
  if (hello.revision.revision != pod.revision) {
    return objection(Refusal::revision,
                     fmt::format("pod {} is of revision {}, HELLO of {}", pod.name, pod.revision,
                                 hello.revision.revision));
  }
  if (!may_be_at(pod, hello.address)) {
    return objection(Refusal::pod,
                     fmt::format("{} is no address of pod {}", hello.address, pod.name));
  }
  if (newest_epoch && hello.epoch < *newest_epoch) {
    return objection(Refusal::epoch, "a newer process of pod " + pod.name + " has spoken already");
  }
  return std::nullopt;
}

}  // namespace pilotlight::autoscaler
