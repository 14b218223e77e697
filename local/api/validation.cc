#include "local/api/validation.h"

#include <algorithm>
#include <limits>

namespace pilotlight::local {
namespace {

using kube::Json;
using Problems = std::vector<std::string>;

constexpr std::size_t kMaxName = 253;

void check_string_map(const Json& object, std::string_view name, Problems& problems) {
  const Json* map = kube::find(object, {"metadata", name});
  if (map == nullptr || map->is_null()) return;
  const bool good =
      map->is_object() &&
      std::all_of(map->begin(), map->end(), [](const Json& value) { return value.is_string(); });
  if (!good) {
    problems.push_back("metadata." + std::string(name) + ": Invalid value: " + kube::to_text(*map) +
                       ": expected a map of strings");
  }
}

void check_replicas(const Json& object, Problems& problems) {
  const Json* replicas = kube::find(object, {"spec", "replicas"});
  const auto value = kube::integer(object, {"spec", "replicas"});
  if (!value || *value > std::numeric_limits<std::int32_t>::max()) {
    problems.push_back("spec.replicas: Invalid value: " +
                       (replicas == nullptr ? "null" : kube::to_text(*replicas)) +
                       ": must be an integer of 32 bits");
  } else if (*value < 0) {
    problems.push_back("spec.replicas: Invalid value: " + std::to_string(*value) +
                       ": must be greater than or equal to 0");
  }
}

void check_containers(const Json& object, Problems& problems) {
  const Json& containers = kube::array(object, {"spec", "template", "spec", "containers"});
  if (containers.empty()) problems.emplace_back("spec.template.spec.containers: Required value");
  for (std::size_t i = 0; i < containers.size(); ++i) {
    if (kube::text(containers[i], {"name"}).empty()) {
      problems.push_back("spec.template.spec.containers[" + std::to_string(i) +
                         "].name: Required value");
    }
  }
}

void check_deployment(const Json& object, const Json* before, Problems& problems) {
  check_replicas(object, problems);
  const Json* selector = kube::find(object, {"spec", "selector", "matchLabels"});
  if (selector == nullptr || !selector->is_object() || selector->empty()) {
    problems.emplace_back("spec.selector: Required value");
  } else {
    const Json* labels = kube::find(object, {"spec", "template", "metadata", "labels"});
    for (const auto& [key, value] : selector->items()) {
      const Json* label = labels == nullptr ? nullptr : kube::find(*labels, {key});
      if (label != nullptr && *label == value) continue;
      problems.push_back("spec.template.metadata.labels: Invalid value: " +
                         (labels == nullptr ? "null" : kube::to_text(*labels)) +
                         ": `selector` does not match template `labels`");
      break;
    }
  }
  if (before != nullptr && kube::find(*before, {"spec", "selector"}) != nullptr &&
      selector != nullptr &&
      *kube::find(*before, {"spec", "selector"}) != *kube::find(object, {"spec", "selector"})) {
    problems.emplace_back("spec.selector: Invalid value: field is immutable");
  }
  check_containers(object, problems);
}

}  // namespace

bool good_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > kMaxName) return false;
  const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  char last = '.';
  for (const char c : name) {
    if (!alphanumeric(c) && c != '-' && c != '.') return false;
    if (!alphanumeric(c) && (last == '.' || (c == '.' && !alphanumeric(last)))) return false;
    last = c;
  }
  return alphanumeric(last);
}

std::vector<std::string> problems_of(const Kind& kind, const Json& object, const Json* before) {
  Problems problems;
  const std::string_view name = kube::name_of(object);
  if (name.empty()) {
    problems.emplace_back("metadata.name: Required value: name or generateName is required");
  } else if (!good_name(name)) {
    problems.push_back("metadata.name: Invalid value: \"" + std::string(name) +
                       "\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
                       "characters, '-' or '.', and must start and end with an alphanumeric "
                       "character");
  }
  check_string_map(object, "labels", problems);
  check_string_map(object, "annotations", problems);
  if (kind.kind == "Deployment") check_deployment(object, before, problems);
  return problems;
}

}  // namespace pilotlight::local
