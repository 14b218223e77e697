#pragma once

#include <cstdint>

#include "common/kube/json.h"

/// What stands on a Service that leads to the activators: written by the controller, read by the
/// activators too. Pure, and total: what is not as expected is simply not there.
namespace pilotlight::config {

/// Label of such a Service: "preparing" or "true". Activators open the port of both.
inline constexpr const char* kManagedLabel = "pilotlight.dev/managed";
inline constexpr const char* kPreparing = "preparing";
inline constexpr const char* kTaken = "true";
/// Annotation: the selector that the user gave it, as JSON.
inline constexpr const char* kSelectorAnnotation = "pilotlight.dev/original-selector";
/// Annotation: where the activators listen for it.
inline constexpr const char* kPortAnnotation = "pilotlight.dev/activator-port";

/// Ports of the activators, one per Service: below those that kernels pick by themselves.
inline constexpr std::uint16_t kFirstServicePort = 20000;
inline constexpr std::uint16_t kLastServicePort = 29999;

[[nodiscard]] bool is_managed(const kube::Json& service) noexcept;

/// The selector that the user gave it, wherever it is now; empty if it has none.
[[nodiscard]] kube::Json original_selector(const kube::Json& service);

/// Whether pods with these labels, an object, match a selector. An empty selector matches none.
[[nodiscard]] bool matches(const kube::Json& selector, const kube::Json& labels) noexcept;

/// The port that a Service has on the activators; 0 for none.
[[nodiscard]] std::uint16_t port_of(const kube::Json& service);

}  // namespace pilotlight::config
