#pragma once

#include <cstdint>

/// Knative's arithmetic around the path of a request. Pure.
namespace pilotlight::autoscaler {

/// How many activators a revision needs in its path: `total` per replica without headroom,
/// `activator_capacity` requests each can hold. At least 2.
[[nodiscard]] std::int64_t activators_wanted(std::int32_t ready, double total,
                                             double target_burst_capacity,
                                             double activator_capacity) noexcept;

/// How many of `replicas` to ask so that their mean is within the error that Knative accepts: 16
/// of very many. Ours push and are all heard; kept for Knative sidecars that must be asked.
[[nodiscard]] std::int64_t sample_size(std::int64_t replicas) noexcept;

}  // namespace pilotlight::autoscaler
