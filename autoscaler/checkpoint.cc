#include "autoscaler/checkpoint.h"

#include <algorithm>
#include <limits>

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;

constexpr auto kNever = wire::Checkpoint::kNever;
constexpr std::uint64_t kOldestUs = microseconds(std::chrono::hours(24 * 100)).count();
constexpr std::int64_t kMostSlots = std::numeric_limits<std::uint32_t>::max();
constexpr Duration kOneClock = 1s;  // no two machines' clocks are that close by chance

std::int64_t to_us(Duration time) { return std::chrono::floor<microseconds>(time).count(); }

/// How long before `now`. The two are cut to microseconds, not what lies between them: so an
/// instant that comes back is the same whenever it is asked for.
std::uint64_t age_of(const std::optional<TimePoint>& then, TimePoint now) {
  if (!then) return kNever;
  const std::int64_t age_us = to_us(now.time_since_epoch()) - to_us(then->time_since_epoch());
  return static_cast<std::uint64_t>(std::max<std::int64_t>(age_us, 0));
}

std::optional<TimePoint> since(std::uint64_t age_us, TimePoint taken) {
  if (age_us == kNever) return std::nullopt;
  return taken - microseconds(std::min(age_us, kOldestUs));
}

}  // namespace

wire::Checkpoint make_checkpoint(const wire::RevisionKey& revision, std::uint64_t server_epoch,
                                 const DeciderState& state, TimePoint now) {
  wire::Checkpoint out;
  out.revision = revision;
  out.server_epoch = server_epoch;
  out.at_us = static_cast<std::uint64_t>(std::max<std::int64_t>(to_us(now.time_since_epoch()), 0));
  out.panic_us = age_of(state.panic_since, now);
  out.max_panic = static_cast<std::uint32_t>(std::max(state.max_panic, 0));
  out.initial_reached = state.initial_reached;
  out.initial_ready_us = age_of(state.initial_ready_since, now);
  out.activating_us = age_of(state.activating_since, now);
  out.active_us = age_of(state.active_since, now);
  out.idle_us = age_of(state.idle_since, now);
  out.proxied_us = age_of(state.proxied_since, now);
  const std::int64_t slot = delay_slot(now);
  for (const auto& [then, replicas] : state.delayed) {
    wire::Checkpoint::Wanted& wanted = out.delayed.emplace_back();
    wanted.slots_ago =
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(slot - then, 0, kMostSlots));
    wanted.replicas = static_cast<std::uint32_t>(std::max(replicas, 0));
  }
  return out;
}

TimePoint taken_at(const wire::Checkpoint& checkpoint, TimePoint now) {
  const TimePoint estimate = now - microseconds(std::min(checkpoint.held_us, kOldestUs));
  if (checkpoint.at_us > static_cast<std::uint64_t>(to_us(TimePoint::max().time_since_epoch()))) {
    return estimate;
  }
  const TimePoint exact{microseconds(checkpoint.at_us)};
  return exact <= estimate && estimate - exact < kOneClock ? exact : estimate;
}

DeciderState restore(const wire::Checkpoint& checkpoint, TimePoint taken) {
  constexpr std::uint32_t kMost = std::numeric_limits<std::int32_t>::max();
  DeciderState out;
  out.panic_since = since(checkpoint.panic_us, taken);
  out.max_panic = static_cast<std::int32_t>(std::min(checkpoint.max_panic, kMost));
  out.initial_reached = checkpoint.initial_reached;
  out.initial_ready_since = since(checkpoint.initial_ready_us, taken);
  out.activating_since = since(checkpoint.activating_us, taken);
  out.active_since = since(checkpoint.active_us, taken);
  out.idle_since = since(checkpoint.idle_us, taken);
  out.proxied_since = since(checkpoint.proxied_us, taken);
  const std::int64_t slot = delay_slot(taken);
  for (const wire::Checkpoint::Wanted& wanted : checkpoint.delayed) {
    out.delayed.emplace_back(slot - wanted.slots_ago,
                             static_cast<std::int32_t>(std::min(wanted.replicas, kMost)));
  }
  return out;
}

}  // namespace pilotlight::autoscaler
