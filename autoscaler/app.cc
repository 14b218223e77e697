#include "autoscaler/app.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include <boost/asio/this_coro.hpp>

#include "autoscaler/status.h"
#include "autoscaler/watches.h"
#include "common/base/log.h"
#include "common/base/system_clock.h"
#include "common/metrics/exposition.h"
#include "common/net/listener.h"

namespace pilotlight::autoscaler {
namespace {

// STATS four times a second: a second is whole in the windows within 250 ms of its end.
constexpr std::uint32_t kReportPeriodMs = 250;

constexpr std::chrono::seconds kPatchTime{5};
constexpr std::chrono::milliseconds kHandOverTime{500};  // for each of its two waits
constexpr std::chrono::seconds kReleaseTime{1};
constexpr std::chrono::seconds kRivalsTime{2};
constexpr std::chrono::milliseconds kLook{5};
constexpr int kExitDeposed = 1;

// For listeners, the API's connections, scrapes (256 and 256 at most) and files.
constexpr std::size_t kOtherDescriptors = 600;

WireDoor::Params door_params(const Options& options) {
  WireDoor::Params params;
  params.tls_folder = options.wire_tls;
  params.review = options.review_tokens;
  params.own_space = options.space;
  params.kube = options.kube;
  return params;
}

wire::ServerOptions wire_options(const Options& options, std::uint64_t epoch, WireDoor& door) {
  wire::ServerOptions wire;
  if (!options.review_tokens) wire.token = options.token;
  door.guard(wire);
  wire.report_period_ms = kReportPeriodMs;
  wire.epoch = epoch;
  wire.connection_limit = std::max(options.descriptors, kOtherDescriptors + 1) - kOtherDescriptors;
  return wire;
}

}  // namespace

App::App(Options options)
    : options_(std::move(options)),
      epoch_(new_epoch()),
      random_(random_seed()),
      kube_(shard_.executor(), shard_.clock(), options_.kube),
      target_(kube_, shard_.clock(), kPatchTime, [this] { return fence(); }),
      decisions_(options_.decision_file),
      recording_(options_.recording),
      loop_(shard_.scope(), shard_.clock(), epoch_, target_, random_,
            decisions_.wanted() ? &decisions_ : nullptr,
            recording_.wanted() ? &recording_ : nullptr),
      deployments_(loop_, options_.defaults),
      slices_(loop_.registry()),
      door_(shard_.scope(), shard_.executor(), shard_.clock(), door_params(options_)),
      pods_wait_(shard_.clock().make_timer()),
      pods_(loop_, door_, [this] { pods_wait_->cancel(); }),
      rivals_wait_(shard_.clock().make_timer()),
      rivals_(loop_, [this] { rivals_wait_->cancel(); }),
      path_teller_(shard_.clock(), target_, random_),
      paths_(path_teller_, loop_),
      pulled_(loop_),
      warnings_(loop_),
      deployment_watch_(kube_, shard_.clock(), ours(kube::kDeployments), deployments_, random_),
      slice_watch_(kube_, shard_.clock(), service_slices(), slices_, random_),
      pod_watch_(kube_, shard_.clock(), ours(kube::kPods), pods_, random_),
      rival_watch_(kube_, shard_.clock(), kube::Watcher::What::all(kube::kHorizontalPodAutoscalers),
                   rivals_, random_),
      path_watch_(kube_, shard_.clock(), private_services(), paths_, random_),
      pulled_watch_(kube_, shard_.clock(), pulled_images(), pulled_, random_),
      warning_watch_(kube_, shard_.clock(), pod_warnings(), warnings_, random_),
      wire_(shard_.executor(), shard_.clock(), wire_options(options_, epoch_, door_), loop_),
      admin_(shard_.executor(), shard_.clock(),
             [this](const control::Request& request, control::Reply& reply) {
               return admin(request, reply);
             }),
      metrics_(shard_.executor(), shard_.clock(),
               [this](const control::Request& request, control::Reply& reply) {
                 return metrics(request, reply);
               }),
      signals_(shard_.executor()) {
  loop_.tell_paths(path_teller_);
  if (!options_.lease) return;
  loop_.follow();
  wire_.send_away("");
}

std::optional<std::string> App::bind() {
  std::optional<std::string> problem = door_.open();
  const auto say = [&problem](std::string_view what, const tcp::endpoint& wanted,
                              const Result<tcp::endpoint>& got) {
    if (got.has_value())
      return log_info("listening", {{"for", what}, {"at", pilotlight::to_string(*got)}});
    if (problem) return;
    problem = "cannot listen on " + pilotlight::to_string(wanted) + " (" + std::string(what) +
              "): " + got.error().message();
  };
  const tcp::endpoint wire(options_.address, options_.wire_port);
  const tcp::endpoint admin(options_.address, options_.admin_port);
  const tcp::endpoint metrics(options_.address, options_.metrics_port);
  const auto wired =
      problem ? Result<tcp::endpoint>(asio::error::operation_aborted) : wire_.listen(wire);
  if (!problem) say("wire", wire, wired);
  say("admin", admin, admin_.listen(admin));
  say("metrics", metrics, metrics_.listen(metrics));
  if (problem) {
    ending_.spawn(end());
    shard_.run();
  } else if (options_.lease) {
    stand_for_election(*wired);
  }
  return problem;
}

void App::stand_for_election(const tcp::endpoint& wire) {
  ErrorCode ec;
  const auto address = asio::ip::make_address(options_.advertise, ec);
  identity_ = pilotlight::to_string(tcp::endpoint(ec ? wire.address() : address, wire.port()));
  kube::Elector::What what;
  what.space = options_.lease->space;
  what.name = options_.lease->name;
  what.params.identity = identity_;
  kube::Elector::Listener& self = *this;  // only this class knows that it is one
  elector_.emplace(kube_, shard_.clock(), std::move(what), self, random_);
}

int App::run() {
  ErrorCode ec;
  for (const int number : {SIGTERM, SIGINT}) signals_.add(number, ec);
  shard_.scope().spawn(watch_deployments());
  shard_.scope().spawn(rival_watch_.run());
  shard_.scope().spawn(slice_watch_.run());
  shard_.scope().spawn(pod_watch_.run());
  shard_.scope().spawn(pulled_watch_.run());
  shard_.scope().spawn(watch_warnings());
  shard_.scope().spawn(path_watch_.run());
  shard_.scope().spawn(path_teller_.run());
  shard_.scope().spawn(loop_.run());
  door_.start(wire_);
  if (elector_) {
    shard_.scope().spawn(elector_->watch());
    shard_.scope().spawn(elector_->run());
  }
  ending_.spawn(watch_signals());
  shard_.run();
  return code_;
}

/// Whom others scale is known first, so that nothing is decided about those. An API that will not
/// say keeps the rest waiting no longer than a moment.
Task<> App::watch_deployments() {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await rivals_wait_->wait_until(shard_.clock().now() + kRivalsTime);
  co_await deployment_watch_.run();
}

/// Pods are known first: what is said of others is not kept.
Task<> App::watch_warnings() {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await pods_wait_->wait_until(TimePoint::max());
  co_await warning_watch_.run();
}

void App::elected() {
  if (ends_) return;
  loop_.lead(elector_->vacant_since());
  wire_.welcome_all();
}

void App::deposed() {
  if (ends_) return;
  log_error("lease lost: another may decide now, so this process ends", {{"identity", identity_}});
  code_ = kExitDeposed;
  loop_.close();
  path_teller_.close();
  signals_.cancel();
}

void App::leader_changed(const std::string& holder) {
  log_info("leader", {{"holder", holder.empty() ? "nobody" : holder}});
  if (!elector_->leading()) wire_.send_away(holder == identity_ ? "" : holder);
}

/// What this process has begun as the leader has ended by then, and nothing is begun later: also
/// when it has stood still meanwhile and has not noticed yet that its lease has run out.
TimePoint App::fence() const { return elector_ ? elector_->may_write_until() : TimePoint::max(); }

Task<> App::watch_signals() {
  co_await signals_.async_wait(use_tuple);
  ends_ = true;
  log_info("stopping");
  signals_.clear();  // the next signal has its default effect: it ends the process now
  co_await end();
}

/// Others may lead as soon as nothing of ours is on its way; our peers are then told who does.
Task<> App::hand_over() {
  const bool led = elector_->leading();
  const auto timer = shard_.clock().make_timer();
  TimePoint latest = shard_.clock().now() + kHandOverTime;
  const auto busy = [this] {
    return loop_.scaler().queue().in_flight() > 0 || path_teller_.busy();
  };
  while (busy() && shard_.clock().now() < latest) {
    co_await timer->wait_until(shard_.clock().now() + kLook);
  }
  const bool quiet = !busy();
  if (quiet) co_await elector_->release(shard_.clock().now() + kReleaseTime);
  const auto succeeded = [this] {
    return !elector_->holder().empty() && elector_->holder() != identity_;
  };
  latest = shard_.clock().now() + kHandOverTime;
  while (led && quiet && !succeeded() && shard_.clock().now() < latest) {
    co_await timer->wait_until(shard_.clock().now() + kLook);
  }
  elector_->close();
}

Task<> App::end() {
  loop_.close();
  path_teller_.close();
  if (elector_) co_await hand_over();
  rivals_wait_->cancel();
  pods_wait_->cancel();
  deployment_watch_.close();
  slice_watch_.close();
  pod_watch_.close();
  pulled_watch_.close();
  warning_watch_.close();
  rival_watch_.close();
  path_watch_.close();
  co_await wire_.stop();
  door_.stop();
  co_await admin_.stop();
  co_await metrics_.stop();
  shard_.scope().cancel(asio::cancellation_type::terminal);
  co_await shard_.scope().join();
  shard_.finish();
}

Task<> App::admin(const control::Request& request, control::Reply& reply) {
  if (request.path == "/events") {
    co_await loop_.events().serve(request, reply);
  } else if (request.path == "/status") {
    std::string body = status_json(loop_, elector_ ? elector_->holder() : "");
    co_await reply.send(200, "application/json", std::move(body));
  } else if (request.path == "/healthz") {
    co_await reply.send(200, "text/plain", std::string("ok"));
  } else {
    co_await reply.send(404, "text/plain", std::string("/status, /events or /healthz\n"));
  }
}

Task<> App::metrics(const control::Request& request, control::Reply& reply) {
  if (request.path != "/metrics") {
    co_await reply.send(404, "text/plain", std::string("/metrics\n"));
    co_return;
  }
  std::string body = metrics_text(loop_, wire_.counts(), door_.reviews());
  co_await reply.send(200, kExpositionType, std::move(body));
}

}  // namespace pilotlight::autoscaler
