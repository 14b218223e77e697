#pragma once

#include <cstddef>
#include <deque>
#include <map>

#include "common/wire/codec.h"
#include "common/wire/frames.h"

namespace pilotlight::wire {

/// What one side still has to write: urgent frames in order, then for each revision the newest of
/// its replaceable frames (STATS of a sender, ENDPOINTS of the autoscaler), least recently written
/// revision first. Bounded: 256 urgent frames, one replaceable frame per revision. Pure.
class Outbox {
 public:
  static constexpr std::size_t kUrgentLimit = 256;

  /// @return false, and nothing is queued, when 256 urgent frames wait already.
  [[nodiscard]] bool push(Frame frame);

  /// Queues `frame`, in place of an unsent one of the same revision.
  void put(const RevisionKey& revision, Frame frame);

  /// Takes the bytes of what is to be written next: at most about 64 KiB, at least one frame; empty
  /// when nothing waits. Frames that cannot be encoded (oversized) are dropped with an error line.
  [[nodiscard]] Bytes take();

  void drop_urgent() noexcept { urgent_.clear(); }

  [[nodiscard]] bool empty() const noexcept { return urgent_.empty() && turns_.empty(); }

 private:
  [[nodiscard]] Frame pop();

  std::deque<Frame> urgent_;
  std::map<RevisionKey, Frame> latest_;
  std::deque<RevisionKey> turns_;  // keys of latest_, each once
};

}  // namespace pilotlight::wire
