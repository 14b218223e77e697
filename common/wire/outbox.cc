#include "common/wire/outbox.h"

#include <utility>

#include "common/base/log.h"

namespace pilotlight::wire {

bool Outbox::push(Frame frame) {
  if (urgent_.size() >= kUrgentLimit) return false;
  urgent_.push_back(std::move(frame));
  return true;
}

void Outbox::replay(std::vector<Frame> frames) {
  replay_ = std::move(frames);
  next_replayed_ = 0;
}

void Outbox::put(const RevisionKey& revision, Frame frame) {
  const FrameType type = type_of(frame);
  const auto [place, added] = latest_.insert_or_assign(Place(type, revision), std::move(frame));
  if (added) turns_.push_back(place->first);
}

Frame Outbox::pop() {
  if (!urgent_.empty()) {
    Frame frame = std::move(urgent_.front());
    urgent_.pop_front();
    return frame;
  }
  if (replaying()) {
    Frame frame = std::move(replay_[next_replayed_++]);
    if (!replaying()) drop_replay();  // its memory too
    return frame;
  }
  auto node = latest_.extract(turns_.front());
  turns_.pop_front();
  return std::move(node.mapped());
}

Bytes Outbox::take() {
  Bytes out;
  while (!empty() && out.size() < kMaxPayload) {
    const Frame frame = pop();
    const Result<Bytes> bytes = encode(frame);
    if (bytes.has_error()) {
      log_error("frame not sent",
                {{"frame", name_of(type_of(frame))}, {"error", bytes.error().message()}});
      continue;
    }
    out.insert(out.end(), bytes->begin(), bytes->end());
  }
  return out;
}

}  // namespace pilotlight::wire
