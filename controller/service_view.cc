#include "controller/service_view.h"

#include <algorithm>
#include <map>

namespace pilotlight::controller {
namespace {

/// Pods are named `<deployment>-<hash>-<random>`, of which the API server keeps 58 characters
/// before the random ones. Neither of the two has a dash, so that `iris-canary` is not taken for
/// `iris`.
bool is_pod_of(const Json& deployment, std::string_view pod) {
  constexpr std::size_t kMostKept = 58;
  const std::string whole = std::string(kube::name_of(deployment)) + "-";
  const std::string_view begin = std::string_view(whole).substr(0, kMostKept);
  if (!pod.starts_with(begin)) return false;
  pod.remove_prefix(begin.size());
  return std::count(pod.begin(), pod.end(), '-') <= 1;
}

}  // namespace

std::uint16_t free_port(const Json& service, const std::function<bool(std::uint16_t)>& used) {
  constexpr std::uint32_t kCount = config::kLastServicePort - config::kFirstServicePort + 1;
  std::uint32_t hash = 2166136261;  // FNV-1a: the same in every build
  for (const std::string_view part : {kube::namespace_of(service), kube::name_of(service)}) {
    for (const char c : part) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619;
    hash = (hash ^ '/') * 16777619;
  }
  for (std::uint32_t i = 0; i < kCount; ++i) {
    const auto port = static_cast<std::uint16_t>(config::kFirstServicePort + (hash + i) % kCount);
    if (!used(port)) return port;
  }
  return 0;
}

std::string_view family_of(const Place& place) noexcept {
  return place.ip.find(':') == std::string::npos ? "IPv4" : "IPv6";
}

std::vector<Place> places_in(const std::vector<Json>& slices) {
  std::map<std::string, Place> by_ip;
  for (const Json& slice : slices) {
    for (const Json& endpoint : kube::array(slice, {"endpoints"})) {
      const Json& addresses = kube::array(endpoint, {"addresses"});
      if (addresses.empty() || !addresses[0].is_string()) continue;
      Place place;
      place.ip = addresses[0].get<std::string>();
      place.node = kube::text(endpoint, {"nodeName"});
      const Json* target = kube::find(endpoint, {"targetRef"});
      if (target != nullptr) place.target = *target;
      place.ready = kube::boolean(endpoint, {"conditions", "ready"}, true);
      place.serving = kube::boolean(endpoint, {"conditions", "serving"}, place.ready);
      place.terminating = kube::boolean(endpoint, {"conditions", "terminating"}, false);
      by_ip[place.ip] = std::move(place);
    }
  }
  std::vector<Place> out;
  for (auto& [ip, place] : by_ip) out.push_back(std::move(place));
  return out;
}

bool leads_to_others(const std::vector<Json>& slices, const Json& deployment) {
  for (const Json& slice : slices) {
    if (kube::label_of(slice, kManagedBy) != kEndpointSliceController) continue;
    for (const Json& endpoint : kube::array(slice, {"endpoints"})) {
      if (kube::text(endpoint, {"targetRef", "kind"}) != "Pod") continue;
      if (!is_pod_of(deployment, kube::text(endpoint, {"targetRef", "name"}))) return true;
    }
  }
  return false;
}

}  // namespace pilotlight::controller
