#include "autoscaler/app.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "autoscaler/status.h"
#include "common/base/log.h"
#include "common/base/system_clock.h"
#include "common/metrics/exposition.h"
#include "common/net/listener.h"

namespace pilotlight::autoscaler {
namespace {

// STATS four times a second: a second is whole in the windows within 250 ms of its end.
constexpr std::uint32_t kReportPeriodMs = 250;

// For listeners, the API's connections, scrapes (256 and 256 at most) and files.
constexpr std::size_t kOtherDescriptors = 600;

/// All of that kind with our label.
kube::Watcher::What ours(const kube::Resource& resource) {
  kube::Watcher::What what;
  what.resource = resource;
  what.selector.labels = "pilotlight.dev/inject=true";
  return what;
}

kube::Watcher::What service_slices() {
  kube::Watcher::What what;
  what.resource = kube::kEndpointSlices;
  what.selector.labels = "kubernetes.io/service-name";
  return what;
}

kube::Watcher::What pulled_images() {
  kube::Watcher::What what;
  what.resource = kube::kEvents;
  what.selector.fields = "involvedObject.kind=Pod,reason=Pulled";
  return what;
}

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
      target_(kube_, shard_.clock()),
      decisions_(options_.decision_file),
      recording_(options_.recording),
      loop_(shard_.scope(), shard_.clock(), epoch_, target_, random_,
            decisions_.wanted() ? &decisions_ : nullptr,
            recording_.wanted() ? &recording_ : nullptr),
      deployments_(loop_, options_.defaults),
      slices_(loop_.registry()),
      door_(shard_.scope(), shard_.executor(), shard_.clock(), door_params(options_)),
      pods_(loop_, door_),
      pulled_(loop_),
      deployment_watch_(kube_, shard_.clock(), ours(kube::kDeployments), deployments_, random_),
      slice_watch_(kube_, shard_.clock(), service_slices(), slices_, random_),
      pod_watch_(kube_, shard_.clock(), ours(kube::kPods), pods_, random_),
      pulled_watch_(kube_, shard_.clock(), pulled_images(), pulled_, random_),
      wire_(shard_.executor(), shard_.clock(), wire_options(options_, epoch_, door_), loop_),
      admin_(shard_.executor(), shard_.clock(),
             [this](const control::Request& request, control::Reply& reply) {
               return admin(request, reply);
             }),
      metrics_(shard_.executor(), shard_.clock(),
               [this](const control::Request& request, control::Reply& reply) {
                 return metrics(request, reply);
               }),
      signals_(shard_.executor()) {}

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
  if (!problem) say("wire", wire, wire_.listen(wire));
  say("admin", admin, admin_.listen(admin));
  say("metrics", metrics, metrics_.listen(metrics));
  if (problem) {
    Scope ending(shard_.executor());
    ending.spawn(end());
    shard_.run();
  }
  return problem;
}

int App::run() {
  ErrorCode ec;
  for (const int number : {SIGTERM, SIGINT}) signals_.add(number, ec);
  shard_.scope().spawn(deployment_watch_.run());
  shard_.scope().spawn(slice_watch_.run());
  shard_.scope().spawn(pod_watch_.run());
  shard_.scope().spawn(pulled_watch_.run());
  shard_.scope().spawn(loop_.run());
  door_.start(wire_);
  Scope ending(shard_.executor());  // not the shard's: it waits for that one
  ending.spawn(watch_signals());
  shard_.run();
  return 0;
}

Task<> App::watch_signals() {
  co_await signals_.async_wait(use_tuple);
  log_info("stopping");
  signals_.clear();  // the next signal has its default effect: it ends the process now
  co_await end();
}

Task<> App::end() {
  loop_.close();
  deployment_watch_.close();
  slice_watch_.close();
  pod_watch_.close();
  pulled_watch_.close();
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
    std::string body = status_json(loop_);
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
