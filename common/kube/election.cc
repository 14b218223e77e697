#include "common/kube/election.h"

#include <algorithm>
#include <utility>

#include <fmt/chrono.h>

namespace pilotlight::kube {
namespace {

/// As metav1.MicroTime writes it.
std::string micro_time(std::chrono::system_clock::time_point wall) {
  const auto micros = std::chrono::floor<std::chrono::microseconds>(wall);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(micros);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                     (micros - seconds).count());
}

}  // namespace

LeaseRecord read_lease(const Json& lease) {
  LeaseRecord record;
  record.holder = text(lease, {"spec", "holderIdentity"});
  record.duration =
      std::chrono::seconds(integer(lease, {"spec", "leaseDurationSeconds"}).value_or(0));
  record.transitions = integer(lease, {"spec", "leaseTransitions"}).value_or(0);
  record.resource_version = resource_version_of(lease);
  return record;
}

void Election::seen(std::optional<LeaseRecord> lease, TimePoint now) {
  const bool same = known_ && lease == lease_;
  known_ = true;
  if (same) return;
  const bool was_anothers = lease_ && !ours();
  lease_ = std::move(lease);
  if (was_anothers && ours()) vacant_since_ = changed_at_;
  changed_at_ = now;
  if (!ours()) renewed_at_.reset();
}

bool Election::leading(TimePoint now) const noexcept {
  return ours() && renewed_at_ && now < *renewed_at_ + params_.renew_within;
}

TimePoint Election::leads_until(TimePoint now) const noexcept {
  return leading(now) ? *renewed_at_ + params_.renew_within : TimePoint::max();
}

Election::Step Election::next(TimePoint now) const {
  if (due(now) > now) return Step::wait;
  if (!lease_) return Step::create;
  return ours() ? Step::renew : Step::take;
}

TimePoint Election::due(TimePoint now) const {
  if (!known_) return TimePoint::max();
  TimePoint when = now;
  if (ours()) {
    // A lease that an earlier process of this identity took is renewed at once.
    if (renewed_at_) when = *renewed_at_ + params_.renew_every;
  } else if (lease_ && !lease_->holder.empty()) {
    // The holder's own duration: it may be another version's.
    when = changed_at_ + std::max<Duration>(lease_->duration, params_.duration);
  }
  return std::max(when, not_before_);
}

Json Election::spec_for(Step step, std::chrono::system_clock::time_point wall) const {
  const bool change = step == Step::take;
  const std::int64_t before = lease_ ? lease_->transitions : 0;
  Json spec = {{"holderIdentity", params_.identity},
               {"leaseDurationSeconds", params_.duration.count()},
               {"leaseTransitions", change ? before + 1 : before},
               {"renewTime", micro_time(wall)}};
  if (step != Step::renew) spec["acquireTime"] = spec["renewTime"];
  return spec;
}

Json Election::released(std::chrono::system_clock::time_point wall) const {
  return {{"holderIdentity", ""},
          {"leaseDurationSeconds", 1},
          {"leaseTransitions", lease_ ? lease_->transitions : 0},
          {"renewTime", micro_time(wall)}};
}

void Election::wrote(LeaseRecord lease, TimePoint begun, TimePoint now) {
  seen(std::move(lease), now);
  if (ours()) renewed_at_ = begun;
  not_before_ = TimePoint{};
}

void Election::failed(TimePoint now) noexcept { not_before_ = now + params_.retry_after; }

const std::string& Election::holder() const noexcept {
  static const std::string kNobody;
  return lease_ ? lease_->holder : kNobody;
}

std::string Election::resource_version() const {
  return lease_ ? lease_->resource_version : std::string();
}

}  // namespace pilotlight::kube
