#include "config/inject_checks.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "config/inject.h"

namespace pilotlight::config {
namespace {

using nlohmann::json;

struct TakenPort {
  std::uint16_t number;
  std::string_view use;
};
constexpr std::array<TakenPort, 3> kTaken = {
    {{kServingPort, "requests"}, {kAdminPort, "its drain"}, {kStatsPort, "its statistics"}}};

const json* member(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

bool is_text(const json* value, std::string_view text) {
  return value != nullptr && value->is_string() && value->get_ref<const std::string&>() == text;
}

/// Calls `what(element, its path)` for each element of a list, if it is one.
template <class What>
void each(const json& object, const char* key, const std::string& path, What what) {
  const json* list = member(object, key);
  if (list == nullptr || !list->is_array()) return;
  std::size_t index = 0;
  for (const json& element : *list) what(element, join(join(path, key), index++));
}

void check_ports(const json& container, const std::string& path, bool serving, Report& report) {
  each(container, "ports", path, [&](const json& port, const std::string& at) {
    if (serving && is_text(member(port, "name"), "h2c")) {
      report.wrong(join(at, "name"), "\"h2c\"", "http1: HTTP/2 to the app is not supported yet");
    }
    const json* number = member(port, "containerPort");
    if (number == nullptr || !number->is_number_integer()) return;
    const auto value = number->get<std::int64_t>();
    const auto same = [&](const TakenPort& taken) { return taken.number == value; };
    const auto* taken = std::find_if(kTaken.begin(), kTaken.end(), same);
    if (taken == kTaken.end()) return;
    report.wrong(join(at, "containerPort"), std::to_string(value),
                 fmt::format("another port: the sidecar needs this one for {}", taken->use));
  });
}

/// A container or volume that has a name of ours and is not ours.
void check_name(const json& element, const std::string& path, const char* ours, Report& report) {
  if (!is_text(member(element, "name"), ours)) return;
  report.wrong(join(path, "name"), in_quotes(ours), "another name: this one is the sidecar's");
}

}  // namespace

bool has_sidecar(const json& pod) noexcept {
  const json* spec = member(pod, "spec");
  const json* containers = spec == nullptr ? nullptr : member(*spec, "initContainers");
  if (containers == nullptr || !containers->is_array()) return false;
  return std::any_of(containers->begin(), containers->end(), [](const json& container) {
    return is_text(member(container, "name"), kSidecarName) &&
           is_text(member(container, "restartPolicy"), "Always");
  });
}

void check_injectable(const json& spec, const std::string& path, std::size_t serving,
                      Report& report) {
  const json* host_network = member(spec, "hostNetwork");
  if (host_network != nullptr && *host_network == true) {
    report.wrong(join(path, "hostNetwork"), "true",
                 "a network of the pod's own: the sidecar's ports would be the node's");
  }
  const json* system = member(spec, "os");
  const json* system_name = system == nullptr ? nullptr : member(*system, "name");
  if (system_name != nullptr && !is_text(system_name, "linux")) {
    report.wrong(join(join(path, "os"), "name"), shown(*system_name), "linux");
  }
  std::size_t index = 0;
  each(spec, "containers", path, [&](const json& container, const std::string& at) {
    if (!container.is_object()) report.wrong(at, shown(container), "an object");
    check_name(container, at, kSidecarName, report);
    check_ports(container, at, index++ == serving, report);
  });
  each(spec, "initContainers", path, [&](const json& container, const std::string& at) {
    check_name(container, at, kSidecarName, report);
    // One that ends before the app starts holds its ports only until then; the sidecar runs beside
    // both, so that even those would collide.
    check_ports(container, at, false, report);
  });
  each(spec, "volumes", path, [&](const json& volume, const std::string& at) {
    check_name(volume, at, kTokenVolume, report);
  });
}

}  // namespace pilotlight::config
