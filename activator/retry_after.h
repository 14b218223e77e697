#pragma once

#include <cstdint>

#include "activator/replica_set.h"

namespace pilotlight::activator {

/// When to come back, in seconds from 1 to 300, for a request that found no room to wait in.
///
/// While a wake is under way: what is left of the time that 95 of 100 take, of which `waiting` is
/// over. With replicas there, which are all busy: the time that half of all new ones take. Nothing
/// learned yet, or the time is up: 1. Pure.
[[nodiscard]] std::uint32_t retry_after_seconds(const ReplicaSet::Learned& learned, bool waking,
                                                Duration waiting) noexcept;

}  // namespace pilotlight::activator
