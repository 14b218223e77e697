#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/base/clock.h"

namespace pilotlight::activator {

/// What the activator knows of a revision from its Deployment alone, before any replica reports.
/// Immutable: a changed Deployment makes a new one with the same id.
struct RevisionInfo {
  std::uint32_t id = 0;  ///< Dense, given by the control shard, never used twice in a process.
  std::size_t home = 0;  ///< The shard that owns the revision's Dispatcher.
  std::string name_space;
  std::string name;
  std::string service;
  std::uint32_t capacity = 0;                  ///< Requests per replica at once; 0 is unlimited.
  Duration timeout = std::chrono::minutes(5);  ///< From arrival to the end; parking counts.
  std::optional<Duration> response_start_timeout;  ///< To the first byte of the answer; likewise.
  std::optional<Duration> idle_timeout;            ///< Between two writes of the answer.

  friend bool operator==(const RevisionInfo&, const RevisionInfo&) = default;
};

using RevisionPtr = std::shared_ptr<const RevisionInfo>;

/// The home shard of a revision: the same in every start with that many shards.
[[nodiscard]] std::size_t home_shard(const std::string& name_space, const std::string& name,
                                     std::size_t shards) noexcept;

}  // namespace pilotlight::activator
