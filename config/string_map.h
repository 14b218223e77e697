#pragma once

#include <map>
#include <string>

namespace pilotlight::config {

/// Annotations or labels of an object, or the data of a ConfigMap.
using StringMap = std::map<std::string, std::string>;

}  // namespace pilotlight::config
