#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "activator/park_budget.h"
#include "activator/revision_info.h"
#include "common/http/local_reply.h"

namespace pilotlight::activator {

/// The activator's own answers beside those of common/http: each names what was hit.

/// 404: nothing routes there. `explanation`: RouteTable::explain().
[[nodiscard]] http::LocalReply no_route(std::string explanation);

/// 503 with Retry-After: the request may not wait. `limit`: of that bound. `cause`: why replicas do
/// not come up, told where its own requests have filled the room; "" if unknown.
[[nodiscard]] http::LocalReply no_room(const RevisionInfo& revision, Refusal bound,
                                       const ParkLimits& limits, std::uint32_t retry_after_s,
                                       std::string_view cause);

/// 504: it waited until its deadline. `cause`: as above.
[[nodiscard]] http::LocalReply waited_too_long(const RevisionInfo& revision,
                                               std::string_view cause);

/// 504: a replica had it until its deadline.
[[nodiscard]] http::LocalReply ran_too_long();

/// 503: the revision was deleted while the request waited.
[[nodiscard]] http::LocalReply revision_gone(const RevisionInfo& revision);

/// What a probe gets; none for a request that is not a probe.
struct ProbeQuestion {
  std::string_view user_agent;
  bool kubelet_header = false;     ///< K-Kubelet-Probe is there.
  std::string_view network_probe;  ///< K-Network-Probe.
  std::string_view network_hash;   ///< K-Network-Hash.
};
[[nodiscard]] bool is_probe(const ProbeQuestion& question) noexcept;
[[nodiscard]] http::LocalReply probe_answer(const ProbeQuestion& question, bool ready,
                                            bool draining);

}  // namespace pilotlight::activator
