#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "autoscaler/collector.h"

namespace pilotlight::autoscaler {

/// A checkpoint, and when it was taken by our clock.
struct KeptCheckpoint {
  wire::Checkpoint frame;
  TimePoint taken;
};

/// What peers replay of revisions whose Deployments have not been listed yet: senders reconnect
/// faster than an API server answers. At most 500,000 seconds of load (24 MB) are kept; what is
/// more is dropped, and said to be. One shard; pure.
class EarlyHistory {
 public:
  static constexpr std::size_t kMostSeconds = 500'000;
  static constexpr std::size_t kMostFrames = 50'000;

  struct Told {
    SourceId source;
    wire::History history;
    TimePoint at;
    bool ended = false;  ///< HISTORY_END has come.
    bool gone = false;   ///< And the connection is over since.
  };

  void keep(const SourceId& source, wire::History history, TimePoint at);
  void keep(const KeptCheckpoint& checkpoint);
  void end(const SourceId& source);
  /// Half a history is none.
  void lost(const SourceId& source);

  /// What is there of a revision, once.
  [[nodiscard]] std::vector<Told> take(const wire::RevisionKey& revision);
  [[nodiscard]] std::optional<KeptCheckpoint> take_checkpoint(const wire::RevisionKey& revision);
  /// Nobody will ask for the rest.
  void clear();

  [[nodiscard]] bool overflowed() const noexcept { return overflowed_; }

 private:
  std::map<wire::RevisionKey, std::vector<Told>> told_;
  std::map<wire::RevisionKey, KeptCheckpoint> checkpoints_;
  std::size_t seconds_ = 0;
  std::size_t frames_ = 0;
  bool overflowed_ = false;
};

}  // namespace pilotlight::autoscaler
