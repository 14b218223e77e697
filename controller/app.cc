#include "controller/app.h"

#include <csignal>

#include <fmt/format.h>

#include "common/base/log.h"
#include "common/base/system_clock.h"
#include "common/metrics/exposition.h"
#include "common/wire/credentials.h"

namespace pilotlight::controller {
namespace {

constexpr const char* kName = "pilotlight-controller";  // of the Lease and the service account
constexpr std::uint16_t kWirePort = 9444;
constexpr std::chrono::seconds kFinishTime{10};
constexpr std::chrono::seconds kReleaseTime{2};
constexpr std::chrono::milliseconds kLook{20};

CertificateKeeper::Names names_of(const Options& options) {
  CertificateKeeper::Names names;
  names.space = options.space;
  names.secret = "pilotlight-webhook-tls";
  names.configuration = "pilotlight";
  names.config_map = "pilotlight-ca";
  CertificateKeeper::Served wire;
  wire.secret = "pilotlight-wire-tls";
  wire.hosts = {wire::kServerName, wire::kServerName + ("." + options.space + ".svc")};
  names.served.push_back(std::move(wire));
  names.hosts = {"pilotlight-webhook." + options.space + ".svc"};
  names.hosts.insert(names.hosts.end(), options.hosts.begin(), options.hosts.end());
  return names;
}

/// Slower than the autoscaler's: nobody waits for a Service to be taken over.
kube::Elector::What lease_of(const Options& options) {
  kube::Elector::What what;
  what.space = options.space;
  what.name = kName;
  what.params.identity = fmt::format("{}-{:016x}", kName, new_epoch());
  what.params.duration = std::chrono::seconds(15);
  what.params.renew_within = std::chrono::seconds(10);
  what.params.renew_every = std::chrono::seconds(5);
  return what;
}

WallTime today() {
  return WallTime(
      std::chrono::floor<std::chrono::seconds>(std::chrono::nanoseconds(wall_clock_ns())));
}

}  // namespace

App::App(Options options)
    : options_(std::move(options)),
      random_(random_seed()),
      kube_(shard_.executor(), shard_.clock(), options_.kube),
      hooks_(http_, [this](std::string_view path,
                           const Json& posted) { return answer_counted(path, posted); }),
      certificate_(
          kube_, shard_.clock(), names_of(options_), [this](const KeyPair& pair) { show(pair); },
          &today, random_),
      reconciler_(Reconciler::Parts{kube_, shard_.executor(), shard_.clock(), deadlines_, random_},
                  Key(options_.space, "pilotlight-activator")),
      elector_(kube_, shard_.clock(), lease_of(options_), *this, random_),
      admin_(shard_.executor(), shard_.clock(),
             [this](const control::Request& request, control::Reply& reply) {
               return admin(request, reply);
             }),
      metrics_(shard_.executor(), shard_.clock(),
               [this](const control::Request& request, control::Reply& reply) {
                 return metrics(request, reply);
               }),
      signals_(shard_.executor(), SIGTERM, SIGINT) {}

std::optional<std::string> App::bind() {
  const auto failed = [](std::string_view what, const tcp::endpoint& where, const ErrorCode& why) {
    return "cannot listen on " + to_string(where) + " (" + std::string(what) +
           " port): " + why.message();
  };
  const auto hooks = hooks_.bind(options_.hooks);
  if (!hooks) return failed("webhook", options_.hooks, hooks.error());
  const auto admin = admin_.listen(options_.admin);
  if (!admin) return failed("admin", options_.admin, admin.error());
  const auto metrics = metrics_.listen(options_.metrics);
  if (!metrics) return failed("metrics", options_.metrics, metrics.error());
  log_info("listening", {{"hooks", to_string(*hooks)},
                         {"admin", to_string(*admin)},
                         {"metrics", to_string(*metrics)}});
  return std::nullopt;
}

int App::run() {
  Scope& scope = shard_.scope();
  scope.spawn(deadline_runner_.run());
  scope.spawn(leaves_.run());
  scope.spawn(watch_signals());
  certificate_.start(scope);
  scope.spawn(reconciler_.watch_services());
  scope.spawn(reconciler_.watch_deployments());
  scope.spawn(reconciler_.watch_slices());
  scope.spawn(reconciler_.run());
  scope.spawn(elector_.watch());
  scope.spawn(elector_.run());
  shard_.run();
  return 0;
}

std::string App::autoscaler() const {
  if (!options_.rules.sidecar.autoscaler.empty()) return options_.rules.sidecar.autoscaler;
  ErrorCode ec;
  const auto ip = reconciler_.state().cluster_ip(Key(options_.space, "pilotlight-autoscaler"));
  const auto address = asio::ip::make_address(ip, ec);
  return ec ? std::string() : to_string(tcp::endpoint(address, kWirePort));
}

Json App::answer_pod(const Json& posted) const {
  AdmissionRules rules = options_.rules;
  rules.sidecar.autoscaler = autoscaler();
  rules.sidecar.autoscaler_ca = certificate_.bundle();
  return mutate_pod(posted, rules);
}

std::optional<Json> App::answer(std::string_view path, const Json& posted) const {
  if (path == "/mutate-pod") return answer_pod(posted);
  if (path == "/mutate-service") {
    return mutate_service(posted,
                          fmt::format("system:serviceaccount:{}:{}", options_.space, kName));
  }
  if (path == "/validate-deployment") return validate_deployment(posted, options_.rules);
  return std::nullopt;
}

std::optional<Json> App::answer_counted(std::string_view path, const Json& posted) {
  std::optional<Json> made = answer(path, posted);
  if (!made) return made;
  const bool allowed = kube::boolean(*made, {"response", "allowed"}, false);
  ++reviews_[{std::string(path.substr(1)), allowed ? "allowed" : "refused"}];
  return made;
}

void App::leader_changed(const std::string& holder) {
  log_info("leader", {{"holder", holder.empty() ? "nobody" : holder}});
}

void App::show(const KeyPair& pair) {
  const auto context = TlsContext::server(TlsSettings(), pair.certificate, pair.key);
  if (context) {
    hooks_.show(*context);
  } else {
    log_error("certificate refused", {{"error", context.error()}});
  }
}

Task<> App::watch_signals() {
  const auto [ec, number] = co_await signals_.async_wait(use_tuple);
  if (ec) co_return;
  log_info("stopping");
  signals_.clear();  // the next signal has its default effect: it ends the process now
  shard_.scope().spawn(unwind());
}

Task<> App::unwind() {
  reconciler_.stop();
  co_await elector_.release(shard_.clock().now() + kReleaseTime);
  elector_.close();
  certificate_.stop();
  hooks_.close();
  const auto timer = shard_.clock().make_timer();
  const TimePoint latest = shard_.clock().now() + kFinishTime;
  while (!hooks_.idle() && shard_.clock().now() < latest) {
    co_await timer->wait_until(shard_.clock().now() + kLook);
  }
  hooks_.stop();
  co_await admin_.stop();
  co_await metrics_.stop();
  deadline_runner_.stop();
  leaves_.stop();
  shard_.scope().cancel(asio::cancellation_type::terminal);
  shard_.finish();
}

Task<> App::admin(const control::Request& request, control::Reply& reply) {
  if (request.path == "/healthz") {
    co_await reply.send(200, "text/plain", "ok");
  } else if (request.path == "/readyz") {
    std::string missing;
    if (!hooks_.open()) missing = "no certificate yet\n";
    if (autoscaler().empty()) missing += "the autoscaler's address is not known yet\n";
    const unsigned code = missing.empty() ? 200 : 503;
    co_await reply.send(code, "text/plain", std::move(missing));
  } else if (request.path == "/status") {
    co_await reply.send(200, "application/json", status());
  } else {
    co_await reply.send(404, "text/plain", "not found: /healthz, /readyz or /status\n");
  }
}

Task<> App::metrics(const control::Request& request, control::Reply& reply) {
  if (request.path != "/metrics") {
    co_await reply.send(404, "text/plain", std::string("not found: /metrics\n"));
    co_return;
  }
  const MetricsFacts facts{reviews_,           reconciler_.writes(),
                           reconciler_.due(),  reconciler_.left_alone().size(),
                           elector_.leading(), certificate_.credentials()};
  std::string body = metrics_text(facts);
  co_await reply.send(200, kExpositionType, std::move(body));
}

std::string App::status() const {
  Json out = {{"synced", reconciler_.synced()},
              {"at_rest", reconciler_.at_rest()},
              {"leading", elector_.leading()},
              {"leader", elector_.holder()}};
  out["left_alone"] = Json::array();
  for (const auto& [key, reason] : reconciler_.left_alone()) {
    out["left_alone"].push_back(
        {{"namespace", key.first}, {"service", key.second}, {"reason", reason}});
  }
  return kube::to_text(out);
}

}  // namespace pilotlight::controller
