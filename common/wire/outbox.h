#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "common/wire/codec.h"
#include "common/wire/frames.h"

namespace pilotlight::wire {

/// What one side still has to write: urgent frames in order; then a replay; then for each revision
/// the newest of its replaceable frames (STATS of a sender, ENDPOINTS and CHECKPOINT of the
/// autoscaler), least recently written first. Bounded: 256 urgent frames, one replay, which is as
/// long as its sender remembers, one replaceable frame of each type per revision. Pure.
class Outbox {
 public:
  static constexpr std::size_t kUrgentLimit = 256;

  /// @return false, and nothing is queued, when 256 urgent frames wait already.
  [[nodiscard]] bool push(Frame frame);

  /// Queues a sender's HISTORY, in place of what is unsent of an earlier one.
  void replay(std::vector<Frame> frames);
  [[nodiscard]] bool replaying() const noexcept { return next_replayed_ < replay_.size(); }
  void drop_replay() noexcept { replay({}); }

  /// Queues `frame`, in place of an unsent one of the same type and revision.
  void put(const RevisionKey& revision, Frame frame);

  /// Takes the bytes of what is to be written next: at most about 64 KiB, at least one frame; empty
  /// when nothing waits. Frames that cannot be encoded (oversized) are dropped with an error line.
  [[nodiscard]] Bytes take();

  void drop_urgent() noexcept { urgent_.clear(); }

  [[nodiscard]] bool empty() const noexcept {
    return urgent_.empty() && !replaying() && turns_.empty();
  }

 private:
  [[nodiscard]] Frame pop();

  std::deque<Frame> urgent_;
  std::vector<Frame> replay_;
  std::size_t next_replayed_ = 0;
  using Place = std::pair<FrameType, RevisionKey>;
  std::map<Place, Frame> latest_;
  std::deque<Place> turns_;  // keys of latest_, each once
};

}  // namespace pilotlight::wire
