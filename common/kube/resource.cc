#include "common/kube/resource.h"

#include "common/control/url.h"

namespace pilotlight::kube {

std::string path_of(const Resource& resource, std::string_view space, std::string_view name,
                    std::string_view subresource) {
  std::string path =
      resource.group.empty() ? "/api/" : "/apis/" + std::string(resource.group) + "/";
  path += resource.version;
  if (!space.empty()) path += "/namespaces/" + control::percent_encode(space);
  path += "/";
  path += resource.plural;
  if (!name.empty()) path += "/" + control::percent_encode(name);
  if (!subresource.empty()) path += "/" + std::string(subresource);
  return path;
}

}  // namespace pilotlight::kube
