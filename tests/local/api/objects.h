#pragma once

#include <string>

#include "common/kube/json.h"

namespace pilotlight::local::test {

/// A Deployment that the API accepts.
inline kube::Json deployment(const std::string& name, int replicas = 1) {
  kube::Json object;
  object["metadata"]["name"] = name;
  object["metadata"]["labels"]["app"] = name;
  object["spec"]["replicas"] = replicas;
  object["spec"]["selector"]["matchLabels"]["app"] = name;
  object["spec"]["template"]["metadata"]["labels"]["app"] = name;
  kube::Json container;
  container["name"] = "main";
  container["image"] = "none";
  object["spec"]["template"]["spec"]["containers"] = kube::Json::array({container});
  return object;
}

inline kube::Json pod(const std::string& name) {
  kube::Json object;
  object["metadata"]["name"] = name;
  object["metadata"]["labels"]["app"] = "iris";
  return object;
}

}  // namespace pilotlight::local::test
