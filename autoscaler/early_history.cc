#include "autoscaler/early_history.h"

#include <utility>

namespace pilotlight::autoscaler {

void EarlyHistory::keep(const SourceId& source, wire::History history, TimePoint at) {
  if (frames_ >= kMostFrames || seconds_ + history.buckets.size() > kMostSeconds) {
    overflowed_ = true;
    return;
  }
  ++frames_;
  seconds_ += history.buckets.size();
  Told& told = told_[history.until.revision].emplace_back();
  told.source = source;
  told.history = std::move(history);
  told.at = at;
}

void EarlyHistory::keep(const KeptCheckpoint& checkpoint) {
  const auto found = checkpoints_.find(checkpoint.frame.revision);
  if (found == checkpoints_.end()) {
    if (checkpoints_.size() < kMostFrames) {
      checkpoints_.emplace(checkpoint.frame.revision, checkpoint);
    }
  } else if (found->second.taken < checkpoint.taken) {
    found->second = checkpoint;
  }
}

void EarlyHistory::end(const SourceId& source) {
  for (auto& [revision, all] : told_) {
    for (Told& told : all) {
      if (told.source == source) told.ended = true;
    }
  }
}

void EarlyHistory::lost(const SourceId& source) {
  for (auto& [revision, all] : told_) {
    for (Told& told : all) {
      if (told.source == source) told.gone = true;
    }
    std::erase_if(all, [](const Told& told) { return told.gone && !told.ended; });
  }
}

std::vector<EarlyHistory::Told> EarlyHistory::take(const wire::RevisionKey& revision) {
  auto node = told_.extract(revision);
  return node ? std::move(node.mapped()) : std::vector<Told>();
}

std::optional<KeptCheckpoint> EarlyHistory::take_checkpoint(const wire::RevisionKey& revision) {
  auto node = checkpoints_.extract(revision);
  if (!node) return std::nullopt;
  return std::move(node.mapped());
}

void EarlyHistory::clear() {
  told_.clear();
  checkpoints_.clear();
}

}  // namespace pilotlight::autoscaler
