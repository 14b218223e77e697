#include "local/api/target.h"

#include <algorithm>
#include <vector>

namespace pilotlight::local {
namespace {

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> segments;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const auto slash = std::min(path.find('/'), path.size());
    segments.push_back(path.substr(0, slash));
    path.remove_prefix(slash);
  }
  if (!segments.empty() && segments.back().empty()) segments.pop_back();
  return segments;
}

}  // namespace

std::optional<Target> parse_target(std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  const std::vector<std::string_view> segments = segments_of(path);
  std::size_t at = 0;
  const auto next = [&segments, &at] {
    return at < segments.size() ? segments[at++] : std::string_view();
  };
  kube::Resource resource;
  const std::string_view root = next();
  if (root != "api" && root != "apis") return std::nullopt;
  if (root == "apis") resource.group = next();
  if (root == "apis" && resource.group.empty()) return std::nullopt;
  resource.version = next();
  resource.plural = next();

  Target target;
  std::string_view space;
  if (resource.plural == "namespaces") {
    // /namespaces/a names a Namespace, /namespaces/a/status a part of it, /namespaces/a/pods
    // others.
    const std::string_view first = at < segments.size() ? segments[at] : std::string_view();
    const std::string_view second =
        at + 1 < segments.size() ? segments[at + 1] : std::string_view();
    if (!second.empty() && second != "status") {
      space = first;
      resource.plural = second;
      at += 2;
    }
  }
  target.kind = kind_of(resource);
  if (target.kind == nullptr || (!space.empty() && !target.kind->namespaced)) return std::nullopt;
  target.space = std::string(space);
  target.name = std::string(next());
  target.subresource = std::string(next());
  if (at < segments.size()) return std::nullopt;
  if (target.kind->namespaced && space.empty() && !target.name.empty()) return std::nullopt;
  const bool known = target.subresource.empty() ||
                     (target.subresource == "status" && target.kind->has_status) ||
                     (target.subresource == "scale" && target.kind->has_scale);
  if (!known) return std::nullopt;
  return target;
}

}  // namespace pilotlight::local
