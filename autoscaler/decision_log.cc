#include "autoscaler/decision_log.h"

#include <algorithm>

namespace pilotlight::autoscaler {
namespace {

constexpr std::size_t kPerRevision = 16;
constexpr std::size_t kTotal = 10'000;

}  // namespace

bool DecisionLog::add(const wire::RevisionKey& revision, const LoggedDecision& decision) {
  std::deque<LoggedDecision>& log = logs_[revision];
  if (!log.empty() && log.back().decision.reason == decision.decision.reason &&
      log.back().desired() == decision.desired() && decision.from() == decision.desired()) {
    return false;
  }
  log.push_back(decision);
  ++size_;
  if (log.size() > kPerRevision) {
    log.pop_front();
    --size_;
  } else if (size_ > kTotal) {
    const auto longest = std::max_element(
        logs_.begin(), logs_.end(),
        [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
    longest->second.pop_front();
    --size_;
  }
  return true;
}

void DecisionLog::forget(const wire::RevisionKey& revision) {
  const auto found = logs_.find(revision);
  if (found == logs_.end()) return;
  size_ -= found->second.size();
  logs_.erase(found);
}

const std::deque<LoggedDecision>& DecisionLog::of(const wire::RevisionKey& revision) const {
  static const std::deque<LoggedDecision> none;
  const auto found = logs_.find(revision);
  return found == logs_.end() ? none : found->second;
}

}  // namespace pilotlight::autoscaler
