#include "proxy/reporter.h"

#include <algorithm>
#include <variant>

#include "common/base/log.h"
#include "common/base/system_clock.h"
#include "common/wire/report.h"

namespace pilotlight::proxy {
namespace {

using namespace std::chrono_literals;

std::uint64_t microseconds(Duration d) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(d).count());
}

}  // namespace

Reporter::Reporter(Clock& clock, Identity identity, const ConcurrencyMeter& meter,
                   const Admission& admission, DrainFence& fence, FenceListener& listener)
    : clock_(clock),
      identity_(std::move(identity)),
      meter_(meter),
      admission_(admission),
      fence_(fence),
      listener_(listener),
      epoch_(new_epoch()),
      started_(clock.now()),
      timer_(clock.make_timer()),
      published_(meter.snapshot(clock.now())) {
  stat_.pod_name = identity_.replica;
  ready_.epoch = epoch_;
  ready_.capacity = identity_.capacity;
  not_ready_.epoch = epoch_;
  not_ready_.text = "the app has not answered its readiness probe yet";
  draining_.epoch = epoch_;
  draining_.reason = wire::NotReadyReason::draining;
  draining_.text = "draining";
}

void Reporter::connect(Executor executor, asio::ip::tcp::endpoint autoscaler,
                       std::mt19937_64& random, wire::CredentialSources credentials) {
  wire::Hello hello;
  hello.role = wire::Role::sidecar;
  hello.revision = identity_.revision;
  hello.replica = identity_.replica;
  hello.address = identity_.address;
  hello.epoch = epoch_;
  hello.token = identity_.token;
  hello.capabilities = wire::kReplay;
  client_ = std::make_unique<wire::Client>(executor, clock_, autoscaler, std::move(hello), *this,
                                           random, std::move(credentials));
}

wire::Frame Reporter::state() const {
  if (fence_.begun()) return draining_;
  if (!is_ready_) return not_ready_;
  wire::Ready ready = ready_;
  ready.told_us = microseconds(clock_.now() - ready_at_);
  return ready;
}

void Reporter::announce() {
  if (client_) client_->send(state());
}

void Reporter::app_ready(Duration listening, Duration ready) {
  is_ready_ = true;
  ready_at_ = clock_.now();
  ready_.listen_us = microseconds(listening);
  ready_.ready_us = microseconds(ready);
  log_info("app ready", {{"listen_us", ready_.listen_us}, {"ready_us", ready_.ready_us}});
  if (!fence_.begun()) announce();
}

void Reporter::app_lost(std::string_view why) {
  is_ready_ = false;
  log_warn("app lost", {{"reason", why}});
  not_ready_.reason = wire::NotReadyReason::app_gone;
  not_ready_.text = why;
  if (!fence_.begun()) announce();
}

void Reporter::connected(const wire::Welcome& welcome) {
  if (welcome.report_period_ms > 0) {
    period_ = std::clamp<Duration>(std::chrono::milliseconds(welcome.report_period_ms), 50ms, 10s);
  }
  connected_ = true;
  announce();
  report(clock_.now());
  timer_->cancel();  // the period may have changed
  listener_.fence_changed();
}

void Reporter::disconnected(std::string_view reason) {
  log_warn("autoscaler connection lost", {{"reason", reason}});
  connected_ = false;
  fence_.disconnected();
  listener_.fence_changed();
}

void Reporter::received(const wire::Frame& frame) {
  if (const auto* drained = std::get_if<wire::Drained>(&frame)) {
    // An answer to an earlier start of this replica, or to another one, says nothing about us.
    if (drained->epoch != epoch_ || !fence_.begun()) return;
    fence_.drained();
    listener_.fence_changed();
  }
}

void Reporter::report(TimePoint now) {
  if (!client_) return;
  wire::Waiting waiting;
  waiting.queued = static_cast<std::uint32_t>(admission_.waiting());
  waiting.oldest_wait_us = microseconds(admission_.oldest_wait(now));
  const LoadSnapshot load = meter_.snapshot(now);
  wire::Stats stats =
      wire::make_stats(identity_.revision, epoch_, load, waiting, identity_.capacity);
  history_.record(load, waiting.oldest_wait_us);
  rests_ = nothing_new(load);
  reported_ = load;
  if (client_->wants_history()) {
    wire::Stats until = stats;
    until.load.refusals = told_refusals_;
    client_->put_history(wire::make_history(until, history_));
  }
  client_->put_stats(std::move(stats));
  if (client_->connected()) told_refusals_ = load.refusals;
}

bool Reporter::nothing_new(const LoadSnapshot& load) const noexcept {
  LoadSnapshot before = reported_;
  before.at_us = load.at_us;
  return load.in_flight == 0 && load == before;
}

void Reporter::rest_ends() {
  if (!rests_) return;
  report(clock_.now());
  rests_ = false;
  timer_->cancel();
}

void Reporter::publish(TimePoint now) {
  const LoadSnapshot load = meter_.snapshot(now);
  const PeriodStat period = period_stat(published_, load);
  published_ = load;
  stat_.average_concurrent_requests = period.average_concurrency;
  stat_.average_proxied_concurrent_requests = period.average_proxied_concurrency;
  stat_.request_count = period.arrivals;
  stat_.proxied_request_count = period.proxied_arrivals;
  stat_.process_uptime = std::chrono::duration<double>(now - started_).count();
}

/// On a grid that begins with the process, as the seconds of publish() do: with periods of whole
/// seconds both are done in one wake-up.
TimePoint Reporter::report_after(TimePoint now) const noexcept {
  const Duration period = rests_ ? std::max<Duration>(period_, 1s) : period_;
  return started_ + ((now - started_) / period + 1) * period;
}

Task<> Reporter::run() {
  TimePoint next_publish = started_ + 1s;
  // Without an autoscaler of ours the process wakes once a second.
  TimePoint next_report = client_ ? report_after(started_) : TimePoint::max();
  while (!stopped_) {
    co_await timer_->wait_until(std::min(next_publish, next_report));
    const TimePoint now = clock_.now();
    if (client_) {
      if (now >= next_report) report(now);
      next_report = report_after(now);  // the period may have changed
    }
    while (now >= next_publish) {
      if (now - next_publish < 1s) publish(now);
      next_publish += 1s;
    }
  }
}

void Reporter::stop() noexcept {
  stopped_ = true;
  timer_->cancel();
  if (client_) client_->close();
}

}  // namespace pilotlight::proxy
