#include "proxy/app.h"

#include <csignal>

#include <fmt/format.h>
#include <unistd.h>

#include "common/base/log.h"

namespace pilotlight::proxy {
namespace {

/// More than an answer, a hang-up and a polite close may take of a process that stops.
constexpr std::chrono::seconds kStopLimit{1};

std::uint32_t limit_of(const config::ProxyConfig& config) {
  return config.container_concurrency == 0 ? Admission::kUnlimited : config.container_concurrency;
}

Admission::Params admission_params(const config::ProxyConfig& config) {
  Admission::Params params;
  params.limit = limit_of(config);
  params.queue_depth = 10 * config.container_concurrency;  // as Knative
  return params;
}

http::UpstreamPool::Params pool_params(const config::ProxyConfig& config) {
  http::UpstreamPool::Params params;
  params.address = tcp::endpoint(asio::ip::address_v4::loopback(), config.user_port);
  // Knative keeps CC connections, or 1,000.
  params.idle_limit = config.container_concurrency == 0 ? 1000 : config.container_concurrency;
  return params;
}

Pipeline::Params pipeline_params(const config::ProxyConfig& config) {
  Pipeline::Params params;
  params.clocks.total = config.revision_timeout;
  params.clocks.response_start = config.response_start_timeout;
  params.clocks.idle = config.idle_timeout;
  params.hold_permit_until_answered = config.hold_permit_until_answered;
  params.wait_for_app = config.wait_for_app;
  return params;
}

Drain::Params drain_params(const config::ProxyConfig& config) {
  Drain::Params params;
  // Every request, a tunnel too, ends by then.
  params.finish_limit = config.revision_timeout;
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

wire::CredentialSources credentials(const config::ProxyConfig& config) {
  wire::CredentialSources sources;
  sources.token_file = config.token_file;
  sources.ca = config.autoscaler_ca;
  return sources;
}

std::unique_ptr<LineSink> log_sink(const config::ProxyConfig& config) {
  if (!config.observability.request_log) return nullptr;
  return std::make_unique<LineSink>(STDOUT_FILENO);
}

std::unique_ptr<RequestLog> request_log(const config::ProxyConfig& config, LineSink* sink) {
  if (sink == nullptr) return nullptr;
  RequestLog::Revision revision;
  revision.name = config.serving_revision;
  revision.name_space = config.serving_namespace;
  revision.service = config.serving_service;
  revision.configuration = config.serving_configuration;
  revision.pod_name = config.serving_pod;
  revision.pod_ip = config.serving_pod_ip;
  const config::Observability& observability = config.observability;
  return std::make_unique<RequestLog>(observability.request_log_template, revision,
                                      observability.probe_request_log, *sink);
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
    probe.https = from.https;
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
      drain_(shard_.clock(), fence_, *this, drain_params(config)),
      log_sink_(log_sink(config)),
      request_log_(request_log(config, log_sink_.get())),
      observer_(request_log_.get()),
      readiness_(shard_.clock(), shard_.scope(), prober_, probes_of(config), *this),
      pipeline_(Pipeline::Parts{http_, admission_, app_pool_, meter_, readiness_, fence_, *this,
                                observer_},
                pipeline_params(config)),
      reporter_(shard_.clock(), identity(config), meter_, admission_, fence_, *this),
      listener_(
          shard_.executor(), shard_.clock(),
          [this](TcpStream stream) { shard_.scope().spawn(pipeline_.serve(std::move(stream))); }),
      admin_(shard_.executor(), shard_.clock(),
             [this](const control::Request& request, control::Reply& reply) {
               return admin(request, reply);
             }),
      stats_(shard_.executor(), shard_.clock(),
             [this](const control::Request& request, control::Reply& reply) {
               return stats(request, reply);
             }),
      metrics_(shard_.executor(), shard_.clock(),
               [this](const control::Request& request, control::Reply& reply) {
                 return metrics(request, reply);
               }),
      signals_(shard_.executor(), SIGTERM, SIGINT),
      quiet_(shard_.clock().make_timer()) {
  if (config.autoscaler) {
    reporter_.connect(shard_.executor(), *config.autoscaler, random_, credentials(config));
  }
  if (!TlsFiles::present(config.tls.directory)) return;
  tls_door_ = std::make_unique<TlsDoor>(http_, config, [this](Transport stream) {
    shard_.scope().spawn(pipeline_.serve(std::move(stream)));
  });
}

std::optional<std::string> App::bind() {
  const auto failed = [](std::string_view what, const tcp::endpoint& where, const ErrorCode& why) {
    return fmt::format("cannot listen on {} ({} port): {}", to_string(where), what, why.message());
  };
  const tcp::endpoint serving(config_.listen_address, config_.serving_port);
  const Result<> bound = listener_.bind(serving, /*shared=*/false);
  if (!bound) return failed("serving", serving, bound.error());
  if (tls_door_ != nullptr) {
    auto problem = tls_door_->open();
    if (problem) return problem;
  }
  const auto admin_bound = admin_.listen(config_.admin_listen);
  if (!admin_bound) return failed("admin", config_.admin_listen, admin_bound.error());
  const auto stats_bound = stats_.listen(config_.stats_listen);
  if (!stats_bound) return failed("stats", config_.stats_listen, stats_bound.error());
  if (config_.metrics_listen) {
    const auto metrics_bound = metrics_.listen(*config_.metrics_listen);
    if (!metrics_bound) return failed("metrics", *config_.metrics_listen, metrics_bound.error());
    log_info("metrics", {{"listening", to_string(*metrics_bound)}});
  }
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
  scope.spawn(drain_.run());
  scope.spawn(readiness_.run());
  scope.spawn(reporter_.run());
  if (reporter_.client() != nullptr) scope.spawn(reporter_.client()->run());
  scope.spawn(listener_.run());
  if (tls_door_ != nullptr) tls_door_->start();
  shard_.run();
  return exit_code_;
}

void App::app_ready(Duration listening, Duration ready) { reporter_.app_ready(listening, ready); }

void App::app_lost() { reporter_.app_lost("the app refused a connection"); }

void App::drain_changed(bool /*begun*/) { reporter_.drain_changed(); }

void App::fenced() {
  listener_.close();
  if (tls_door_ != nullptr) tls_door_->close();
  pipeline_.close_connections();
}

void App::end(int exit_code) {
  exit_code_ = exit_code;
  if (ended_) return;
  ended_ = true;
  shard_.scope().spawn(unwind());
}

Task<> App::watch_signals() {
  for (;;) {
    const auto [ec, number] = co_await signals_.async_wait(use_tuple);
    if (ec) co_return;
    drain_.signal();
  }
}

Task<> App::unwind() {
  listener_.close();
  if (tls_door_ != nullptr) tls_door_->stop();
  drain_.stop();
  pipeline_.stop();
  // Its connections end by deadlines, which have to run until then.
  const TimePoint latest = shard_.clock().now() + kStopLimit;
  while (pipeline_.connections() > 0 && shard_.clock().now() < latest) {
    co_await quiet_->wait_until(latest);
  }
  readiness_.stop();
  reporter_.stop();
  co_await admin_.stop();
  co_await stats_.stop();
  co_await metrics_.stop();
  ErrorCode ignored;  // the wait for signals ends either way
  signals_.cancel(ignored);
  deadline_runner_.stop();
  leaves_.stop();
  shard_.scope().cancel(asio::cancellation_type::terminal);
  // Everything but this task has been told to end; what is left unwinds as the loop runs dry.
  shard_.finish();
}

Task<> App::admin(const control::Request& request, control::Reply& reply) {
  if (request.path == "/wait-for-drain" || request.path == "/begin-drain") {
    const bool ours = request.path == "/begin-drain";
    const Drain::Visit visit(drain_);
    co_await drain_.hook(ours ? Drain::Hook::begin_drain : Drain::Hook::wait_for_drain);
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

Gauges App::gauges() {
  Gauges now;
  now.load = meter_.snapshot(shard_.clock().now());
  now.running = admission_.in_flight();
  now.queued = admission_.waiting();
  now.limit = config_.container_concurrency;
  now.queue_limit = admission_params(config_).queue_depth;
  now.connections = pipeline_.connections();
  now.upstream_idle = app_pool_.idle();
  now.ready = readiness_.ready();
  now.draining = fence_.begun();
  now.autoscaler_connected = reporter_.is_connected();
  now.log_dropped = observer_.log_dropped();
  return now;
}

Task<> App::metrics(const control::Request& request, control::Reply& reply) {
  if (request.path == "/metrics") {
    co_await reply.send(200, kExpositionType, metrics_text(observer_.cells(), gauges()));
  } else {
    co_await reply.send(404, "text/plain", "not found: this port has /metrics\n");
  }
}

}  // namespace pilotlight::proxy
