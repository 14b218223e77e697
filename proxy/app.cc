#include "proxy/app.h"

#include <fmt/format.h>

#include <csignal>

#include "common/base/log.h"

namespace pilotlight::proxy {
namespace {

using namespace std::chrono_literals;

/// A preStop hook without a SIGTERM within this time is a container's restart, not the replica's
/// end (knative.md 1.12).
constexpr Duration kSignalPatience = 1s;

std::uint32_t limit_of(const config::ProxyConfig& config) {
  return config.container_concurrency == 0 ? Admission::kUnlimited : config.container_concurrency;
}

Admission::Params admission_params(const config::ProxyConfig& config) {
  Admission::Params params;
  params.limit = limit_of(config);
  params.queue_depth = 10 * config.container_concurrency;  // knative.md 1.6
  return params;
}

http::UpstreamPool::Params pool_params(const config::ProxyConfig& config) {
  http::UpstreamPool::Params params;
  params.address = tcp::endpoint(asio::ip::address_v4::loopback(), config.user_port);
  // Knative keeps CC connections, or 1,000 (knative.md 1.8).
  params.idle_limit = config.container_concurrency == 0 ? 1000 : config.container_concurrency;
  return params;
}

Pipeline::Params pipeline_params(const config::ProxyConfig& config) {
  Pipeline::Params params;
  params.request_timeout = config.revision_timeout;
  params.hold_permit_until_answered = config.hold_permit_until_answered;
  params.wait_for_app = config.wait_for_app;
  return params;
}

Reporter::Identity identity(const config::ProxyConfig& config) {
  Reporter::Identity who;
  who.revision.name_space = config.serving_namespace;
  who.revision.revision = config.serving_revision;
  who.replica = config.serving_pod;
  who.address = fmt::format("{}:{}", config.serving_pod_ip, config.serving_port);
  who.token = config.token;
  who.capacity = config.container_concurrency;
  return who;
}

ReadinessProbe probe_of(const config::Probe& from, std::uint16_t user_port) {
  ReadinessProbe probe;
  const std::uint16_t port = from.port == 0 ? user_port : from.port;
  ErrorCode ec;
  auto address = asio::ip::make_address(from.host.empty() ? "127.0.0.1" : from.host, ec);
  if (ec) address = asio::ip::address_v4::loopback();
  probe.address = tcp::endpoint(address, port);
  if (from.kind == config::Probe::Kind::http) {
    probe.kind = ReadinessProbe::Kind::http;
    probe.path = from.path.empty() ? "/" : from.path;
    probe.headers = from.headers;
  }
  probe.timeout = from.timeout;
  probe.period = from.period;
  probe.success_threshold = from.success_threshold;
  return probe;
}

std::vector<ReadinessProbe> probes_of(const config::ProxyConfig& config) {
  std::vector<ReadinessProbe> probes;
  for (const config::Probe& probe : config.probes) {
    probes.push_back(probe_of(probe, config.user_port));
  }
  return probes;
}

}  // namespace

App::App(const config::ProxyConfig& config)
    : config_(config),
      random_(random_seed()),
      admission_(shard_.clock(), admission_params(config)),
      app_pool_(http_, pool_params(config)),
      meter_(shard_.clock().now()),
      readiness_(http_, probes_of(config), *this),
      pipeline_(Pipeline::Parts{http_, admission_, app_pool_, meter_, readiness_, fence_, *this},
                pipeline_params(config)),
      reporter_(shard_.clock(), identity(config), meter_, admission_, fence_, *this),
      listener_(shard_.executor(), shard_.clock(),
                [this](TcpStream stream) {
                  shard_.scope().spawn(pipeline_.serve(std::move(stream)));
                }),
      admin_(shard_.executor(), shard_.clock(),
             [this](const control::Request& request, control::Reply& reply) {
               return admin(request, reply);
             }),
      stats_(shard_.executor(), shard_.clock(),
             [this](const control::Request& request, control::Reply& reply) {
               return stats(request, reply);
             }),
      signals_(shard_.executor(), SIGTERM, SIGINT),
      progress_(shard_.clock().make_timer()) {
  if (config.autoscaler) reporter_.connect(shard_.executor(), *config.autoscaler, random_);
}

std::optional<std::string> App::bind() {
  const auto failed = [](std::string_view what, const tcp::endpoint& where, const ErrorCode& why) {
    return fmt::format("cannot listen on {} ({} port): {}", to_string(where), what, why.message());
  };
  const tcp::endpoint serving(config_.listen_address, config_.serving_port);
  const Result<> bound = listener_.bind(serving, /*shared=*/false);
  if (!bound) return failed("serving", serving, bound.error());
  const auto admin_bound = admin_.listen(config_.admin_listen);
  if (!admin_bound) return failed("admin", config_.admin_listen, admin_bound.error());
  const auto stats_bound = stats_.listen(config_.stats_listen);
  if (!stats_bound) return failed("stats", config_.stats_listen, stats_bound.error());
  log_info("listening", {{"serving", to_string(listener_.local())},
                         {"admin", to_string(*admin_bound)},
                         {"stats", to_string(*stats_bound)}});
  return std::nullopt;
}

int App::run() {
  Scope& scope = shard_.scope();
  scope.spawn(deadline_runner_.run());
  scope.spawn(leaves_.run());
  scope.spawn(watch_signals());
  scope.spawn(readiness_.run());
  scope.spawn(reporter_.run());
  if (reporter_.client() != nullptr) scope.spawn(reporter_.client()->run());
  scope.spawn(listener_.run());
  shard_.run();
  return exit_code_;
}

void App::app_ready(Duration listening, Duration ready) { reporter_.app_ready(listening, ready); }

void App::app_lost() { reporter_.app_lost("the app refused a connection"); }

Task<> App::watch_signals() {
  for (;;) {
    const auto [ec, number] = co_await signals_.async_wait(use_tuple);
    if (ec) co_return;
    if (signalled_) {
      log_warn("second signal: stopping now");
      exit_code_ = 1;
      shard_.scope().spawn(end());
      co_return;
    }
    signalled_ = true;
    log_info("signal: draining");
    begin_drain();
  }
}

void App::begin_drain() {
  fence_.begin(shard_.clock().now());
  if (draining_) return;
  draining_ = true;
  reporter_.draining();
  shard_.scope().spawn(drain());
}

Task<> App::drain() {
  const Clock& clock = shard_.clock();
  while (draining_ && !fence_.fenced(clock.now())) {
    co_await progress_->wait_until(fence_.next(clock.now()));
  }
  if (!draining_) co_return;  // called off
  log_info("fenced: no new request can arrive");
  listener_.close();
  pipeline_.close_connections();
  const TimePoint latest = clock.now() + config_.revision_timeout;
  while (pipeline_.in_flight() > 0 && clock.now() < latest) {
    co_await progress_->wait_until(latest);
  }
  drained_ = true;
  for (Event* waiter : drain_waiters_) waiter->set();
  log_info("drained", {{"in_flight", pipeline_.in_flight()}});
  if (signalled_) co_await end();
}

Task<> App::end() {
  if (ended_) co_return;
  ended_ = true;
  listener_.close();
  for (Event* waiter : drain_waiters_) waiter->set();
  pipeline_.stop();
  readiness_.stop();
  reporter_.stop();
  co_await admin_.stop();
  co_await stats_.stop();
  ErrorCode ignored;  // the wait for signals ends either way
  signals_.cancel(ignored);
  deadline_runner_.stop();
  leaves_.stop();
  shard_.scope().cancel(asio::cancellation_type::terminal);
  // Everything but this task has been told to end; what is left unwinds as the loop runs dry.
  shard_.finish();
}

Task<bool> App::wait_for_drain(bool may_reset) {
  begin_drain();
  Event drained(shard_.clock());
  if (drained_ || ended_) co_return true;
  drain_waiters_.push_back(&drained);
  if (may_reset && !signalled_) {
    const bool done = co_await drained.wait(shard_.clock().now() + kSignalPatience);
    if (!done && !signalled_ && !ended_) {
      std::erase(drain_waiters_, &drained);
      draining_ = false;
      fence_.reset();
      progress_->cancel();
      co_return false;
    }
  }
  if (!drained.happened()) co_await drained.wait(TimePoint::max());
  std::erase(drain_waiters_, &drained);
  co_return true;
}

Task<> App::admin(const control::Request& request, control::Reply& reply) {
  if (request.path == "/wait-for-drain" || request.path == "/begin-drain") {
    const bool may_reset = request.path == "/wait-for-drain";
    co_await wait_for_drain(may_reset);
    co_await reply.send(200, "text/plain", "");
  } else if (request.path == "/healthz") {
    co_await reply.send(200, "text/plain", "ok");
  } else {
    co_await reply.send(404, "text/plain",
                        "not found: this port has /wait-for-drain, /begin-drain and /healthz\n");
  }
}

Task<> App::stats(const control::Request& request, control::Reply& reply) {
  if (request.path == "/metrics") {
    const std::string stat = reporter_.knative_stat();
    co_await reply.send(200, kKnativeStatType, stat);
  } else {
    co_await reply.send(404, "text/plain", "not found: this port has /metrics\n");
  }
}

}  // namespace pilotlight::proxy
