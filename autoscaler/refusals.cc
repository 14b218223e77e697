#include "autoscaler/refusals.h"

#include <algorithm>
#include <utility>

namespace pilotlight::autoscaler {
namespace {

constexpr std::chrono::seconds kGather{1};
constexpr std::chrono::seconds kPeriod{5};
constexpr std::chrono::minutes kAway{1};

}  // namespace

void Refusals::report(const SourceId& source, const RefusalCounts& counted, TimePoint now) {
  const auto [place, added] = known_.try_emplace(source, Known{counted});
  if (added) return;
  Known& known = place->second;
  const Counted before_this = std::exchange(known.counted, Counted::here);
  const bool unheard =
      std::exchange(known.lost_at, std::nullopt) || before_this == Counted::told_to_others;
  RefusalCounts& sum = source.role == wire::Role::activator ? open_.activators : open_.sidecars;
  bool any = false;
  for (std::size_t i = 0; i < kRefusalCauses; ++i) {
    const std::uint64_t before = std::exchange(known.told[i], counted[i]);
    const std::uint64_t more = counted[i] - std::min(before, counted[i]);
    sum[i] += more;
    any = any || more > 0;
  }
  if (any && unheard) open_.unseen = true;
  if (any && !since_) since_ = now;
}

void Refusals::told_before(const SourceId& source, const RefusalCounts& told) {
  Known& known = known_[source];
  if (known.counted != Counted::here) known = Known{told, Counted::told_to_others};
}

void Refusals::lost(const SourceId& source, TimePoint now) {
  const auto found = known_.find(source);
  if (found != known_.end()) found->second.lost_at = now;
}

std::optional<RefusalSummary> Refusals::take(TimePoint now) {
  std::erase_if(known_, [now](const auto& one) {
    return one.second.lost_at && now - *one.second.lost_at > kAway;
  });
  if (!since_ || now - *since_ < kGather) return std::nullopt;
  if (told_at_ && now - *told_at_ < kPeriod) return std::nullopt;
  RefusalSummary out = std::exchange(open_, RefusalSummary());
  out.period = now - *since_;
  told_at_ = now;
  since_.reset();
  return out;
}

}  // namespace pilotlight::autoscaler
