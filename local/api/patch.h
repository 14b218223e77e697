#pragma once

#include <string_view>

#include <boost/system/result.hpp>

#include "common/kube/json.h"
#include "local/api/refusal.h"

namespace pilotlight::local {

using Patched = boost::system::result<kube::Json, Refusal>;

/// Applies `body` to `object` as `content_type` says: application/merge-patch+json (RFC 7386),
/// application/strategic-merge-patch+json (below), application/json-patch+json (RFC 6902).
/// @return the new object; 400 for a body that is no such patch, 422 for a JSON patch that does not
/// fit the object, 415 for another content type (server-side apply by name). Pure.
[[nodiscard]] Patched apply_patch(const kube::Json& object, std::string_view content_type,
                                  std::string_view body);

/// A strategic merge patch: a merge patch whose lists of objects are merged by Kubernetes' merge
/// key (containers, env, volumes by name; ports by containerPort or port; volumeMounts by
/// mountPath; conditions by type) instead of replaced. Knows `$patch: replace|delete|merge`,
/// `$retainKeys` and
/// `$deleteFromPrimitiveList/...`; `$setElementOrder/...` is accepted and the order left as it is.
void strategic_merge(kube::Json& object, const kube::Json& patch);

}  // namespace pilotlight::local
