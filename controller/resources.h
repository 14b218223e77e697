#pragma once

#include "common/kube/resource.h"

namespace pilotlight::controller {

inline constexpr kube::Resource kSecrets{"", "v1", "secrets"};
inline constexpr kube::Resource kConfigMaps{"", "v1", "configmaps"};
inline constexpr kube::Resource kMutatingHooks{"admissionregistration.k8s.io", "v1",
                                               "mutatingwebhookconfigurations"};
inline constexpr kube::Resource kValidatingHooks{"admissionregistration.k8s.io", "v1",
                                                 "validatingwebhookconfigurations"};

}  // namespace pilotlight::controller
