#include "activator/pools.h"

namespace pilotlight::activator {
namespace {

/// Longer than an idle connection is kept (4 s), so a sweep never closes one that could be used.
constexpr std::chrono::seconds kUnused{5};

/// A sidecar answers a connect at once or not at all; the request has other places to go.
constexpr std::chrono::seconds kDialTimeout{2};

}  // namespace

Pools::Use::Use(Pools& pools, const tcp::endpoint& address)
    : pools_(pools), entry_(pools.entry(address)) {
  ++entry_.users;
}

Pools::Use::~Use() {
  --entry_.users;
  entry_.last_used = pools_.parts_.clock.now();
}

Pools::Use::Entry& Pools::entry(const tcp::endpoint& address) {
  const auto found = pools_.find(address);
  if (found != pools_.end()) return found->second;
  http::UpstreamPool::Params params;
  params.address = address;
  params.idle_limit = 100;  // per host, as Knative's activator
  params.dial_timeout = kDialTimeout;
  return pools_.try_emplace(address, parts_, params).first->second;
}

void Pools::sweep(TimePoint now) {
  std::erase_if(pools_, [now](const auto& pool) {
    return pool.second.users == 0 && now - pool.second.last_used > kUnused;
  });
}

void Pools::clear() noexcept {
  for (auto& [address, entry] : pools_) entry.pool.clear();
}

}  // namespace pilotlight::activator
