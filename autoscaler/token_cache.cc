#include "autoscaler/token_cache.h"

#include <algorithm>

namespace pilotlight::autoscaler {
namespace {

constexpr std::chrono::minutes kGoodTime{5};
constexpr std::chrono::seconds kBadTime{10};

}  // namespace

std::optional<TokenCache::Known> TokenCache::find(const Digest& token, TimePoint now) const {
  Known known;
  if (const auto good = good_.find(token); good != good_.end()) {
    if (now >= good->second.expires) return std::nullopt;
    known.owner = good->second.owner;
    known.fresh = now - good->second.reviewed < kGoodTime;
    return known;
  }
  const auto bad = bad_.find(token);
  if (bad == bad_.end() || now - bad->second.reviewed >= kBadTime) return std::nullopt;
  known.fresh = true;
  return known;
}

void TokenCache::put(const Digest& token, const TokenOwner& owner, TimePoint now,
                     TimePoint expires) {
  good_.erase(token);
  bad_.erase(token);
  Entries& entries = owner.authenticated ? good_ : bad_;
  make_room(entries, owner.authenticated ? kGoodLimit : kBadLimit);
  Entry entry;
  entry.owner = owner;
  entry.reviewed = now;
  entry.expires = expires;
  entries.emplace(token, std::move(entry));
}

void TokenCache::make_room(Entries& entries, std::size_t limit) {
  if (entries.size() < limit) return;
  entries.erase(std::min_element(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return a.second.reviewed < b.second.reviewed;
  }));
}

}  // namespace pilotlight::autoscaler
