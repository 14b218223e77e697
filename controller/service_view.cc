#include "controller/service_view.h"

#include <map>

namespace pilotlight::controller {

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

}  // namespace pilotlight::controller
