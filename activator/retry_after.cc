#include "activator/retry_after.h"

#include <algorithm>

namespace pilotlight::activator {
namespace {

using std::chrono::seconds;

// A client should not be sent away for longer by a few slow starts.
constexpr seconds kMost{300};

}  // namespace

std::uint32_t retry_after_seconds(const ReplicaSet::Learned& learned, bool waking,
                                  Duration waiting) noexcept {
  const Duration left = waking ? learned.p95 - waiting : learned.p50;
  const seconds whole = std::clamp(std::chrono::ceil<seconds>(left), seconds(1), kMost);
  return static_cast<std::uint32_t>(whole.count());
}

}  // namespace pilotlight::activator
