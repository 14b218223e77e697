#include "common/kube/elector.h"

#include <algorithm>
#include <utility>

#include <boost/asio/this_coro.hpp>

#include "common/base/log.h"
#include "common/base/system_clock.h"

namespace pilotlight::kube {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLook = 5ms;
constexpr Duration kWriteTime = 1s;  // a renewal that takes longer is better sent again

std::chrono::system_clock::time_point wall() {
  return std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(
          std::chrono::nanoseconds(wall_clock_ns())));
}

Watcher::What one_lease(const Elector::What& what) {
  Watcher::What watched;
  watched.resource = kLeases;
  watched.space = what.space;
  watched.selector.fields = "metadata.name=" + what.name;
  return watched;
}

}  // namespace

Elector::Elector(Client& client, Clock& clock, What what, Listener& listener,
                 std::mt19937_64& random)
    : client_(client),
      clock_(clock),
      what_(std::move(what)),
      listener_(listener),
      election_(what_.params),
      watcher_(client, clock, one_lease(what_), *this, random),
      timer_(clock.make_timer()) {}

void Elector::applied(const Json& object) {
  exists_ = true;
  seen(read_lease(object));
}

void Elector::removed(const Json&) {
  exists_ = false;
  seen(std::nullopt);
}

void Elector::synced() {
  if (!exists_) seen(std::nullopt);
}

void Elector::seen(std::optional<LeaseRecord> lease) {
  election_.seen(std::move(lease), clock_.now());
  tell();
  timer_->cancel();  // what is due may have changed
}

/// Tells of what has changed since it was told last.
void Elector::tell() {
  const bool leads = election_.leading(clock_.now());
  if (leads != std::exchange(leading_, leads)) {
    log_info(leads ? "leading" : "leading no longer", {{"lease", what_.name}});
    leads ? listener_.elected() : listener_.deposed();
  }
  if (election_.holder() == told_holder_) return;
  told_holder_ = election_.holder();
  listener_.leader_changed(told_holder_);
}

Task<> Elector::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!closed_) {
    const TimePoint now = clock_.now();
    tell();
    const Election::Step step = election_.next(now);
    if (step != Election::Step::wait) {
      co_await write(step);
      continue;
    }
    co_await timer_->wait_until(std::min(election_.due(now), election_.leads_until(now)));
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return;
  }
}

Json Elector::object(Json spec) const {
  Json lease = {{"apiVersion", "coordination.k8s.io/v1"},
                {"kind", "Lease"},
                {"metadata", {{"name", what_.name}, {"namespace", what_.space}}},
                {"spec", std::move(spec)}};
  const std::string version = election_.resource_version();
  if (!version.empty()) lease["metadata"]["resourceVersion"] = version;
  return lease;
}

Task<> Elector::write(Election::Step step) {
  const TimePoint begun = clock_.now();
  const TimePoint deadline = begun + kWriteTime;
  Json lease = object(election_.spec_for(step, wall()));
  writing_ = true;
  Result<Json> taken = make_error_code(FlowError::not_found);
  if (step == Election::Step::create) {
    taken = co_await client_.create(kLeases, what_.space, std::move(lease), deadline);
  } else {
    taken = co_await client_.update(kLeases, what_.space, std::move(lease), deadline);
  }
  writing_ = false;
  if (taken) {
    exists_ = true;
    election_.wrote(read_lease(*taken), begun, clock_.now());
  } else {
    log_debug("lease not written", {{"lease", what_.name}, {"reason", taken.error().message()}});
    election_.failed(clock_.now());
  }
  tell();
}

Task<> Elector::release(TimePoint deadline) {
  closed_ = true;  // run() writes nothing from here on
  timer_->cancel();
  // A renewal on its way would make ours a conflict.
  const auto look = clock_.make_timer();
  while (writing_ && clock_.now() < deadline) co_await look->wait_until(clock_.now() + kLook);
  if (!leading_) co_return;
  Json lease = object(election_.released(wall()));
  const Result<Json> taken =
      co_await client_.update(kLeases, what_.space, std::move(lease), deadline);
  if (!taken) log_warn("lease not given back", {{"reason", taken.error().message()}});
}

void Elector::close() noexcept {
  closed_ = true;
  timer_->cancel();
  watcher_.close();
}

}  // namespace pilotlight::kube
