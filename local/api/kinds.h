#pragma once

#include <span>
#include <string>
#include <string_view>

#include "common/kube/resource.h"

namespace pilotlight::local {

/// A kind of object that the laptop's API serves, as discovery describes it.
struct Kind {
  kube::Resource resource;
  std::string_view kind;          ///< "Deployment".
  std::string_view singular{};    ///< "deployment".
  std::string_view short_name{};  ///< "deploy", or "".
  bool namespaced = true;
  bool has_status = false;  ///< Has the subresource status.
  bool has_scale = false;   ///< Has the subresource scale.
};

/// Every kind there is. Their order is their identity inside the store.
[[nodiscard]] std::span<const Kind> kinds() noexcept;

/// The kind that `resource` names, or nullptr.
[[nodiscard]] const Kind* kind_of(const kube::Resource& resource) noexcept;

/// "apps/v1", or "v1" for the core group.
[[nodiscard]] std::string api_version_of(const kube::Resource& resource);

}  // namespace pilotlight::local
