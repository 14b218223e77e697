#include "config/managed_service.h"

#include <string>

namespace pilotlight::config {

using kube::Json;

bool is_managed(const Json& service) noexcept {
  return !kube::label_of(service, kManagedLabel).empty();
}

Json original_selector(const Json& service) {
  const Json* selector = kube::find(service, {"spec", "selector"});
  if (selector != nullptr && selector->is_object() && !selector->empty()) return *selector;
  const auto kept = kube::parse_json(kube::annotation_of(service, kSelectorAnnotation));
  return kept && kept->is_object() ? *kept : Json::object();
}

bool matches(const Json& selector, const Json& labels) noexcept {
  if (selector.empty() || !labels.is_object()) return false;
  for (const auto& [key, value] : selector.items()) {
    const auto found = labels.find(key);
    if (found == labels.end() || *found != value) return false;
  }
  return true;
}

std::uint16_t port_of(const Json& service) {
  const std::string text(kube::annotation_of(service, kPortAnnotation));
  std::uint32_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9' || number > kLastServicePort) return 0;
    number = number * 10 + static_cast<std::uint32_t>(c - '0');
  }
  if (number < kFirstServicePort || number > kLastServicePort) return 0;
  return static_cast<std::uint16_t>(number);
}

}  // namespace pilotlight::config
