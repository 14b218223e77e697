#include "local/up_app.h"

#include <csignal>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "common/base/log.h"
#include "config/revision.h"

namespace pilotlight::local {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kStartPatience = seconds(20);
constexpr std::size_t kLogFilesKept = 200;

}  // namespace

UpApp::UpApp(const UpOptions& options, UpPlan& plan)
    : options_(options),
      plan_(plan),
      console_(options.colours),
      launcher_((options.programs / "pilotlight-shim").string()),
      app_ports_(random_seed()),
      // Versions go on from any earlier `up` of this folder, so that its watchers' are too old.
      store_(random_seed(), static_cast<std::uint64_t>(wall_clock_ns()) / 1'000'000),
      events_(shard_.clock(), new_epoch()),
      story_([this](const StoryLine& line) { console_.line(line); }),
      tasks_(shard_.executor()),
      gateway_scope_(shard_.executor()),
      autoscaler_scope_(shard_.executor()),
      signals_(shard_.executor()),
      stop_(shard_.clock()),
      pace_(shard_.clock().make_timer()) {
  activator_admin_ = {asio::ip::make_address_v4(plan.addresses.activator()), plan.ports.admin};
  autoscaler_admin_ = {asio::ip::make_address_v4(plan.addresses.autoscaler()), plan.ports.admin};
}

UpApp::~UpApp() = default;

OrReason<> UpApp::bind() {
  ApiServer::Options api;
  api.token = plan_.token;
  api.version = PILOTLIGHT_VERSION;
  api.own_pages = [this](const control::Request& request, control::Reply& reply) {
    return serve_page(request, reply);
  };
  api_ = std::make_unique<ApiServer>(shard_.executor(), shard_.clock(), store_, std::move(api));
  const auto where = api_->listen(options_.api);
  if (!where) {
    return Reason::because(
        fmt::format("cannot listen on {} for the Kubernetes API: {}; choose another --api",
                    show(options_.api), where.error().message()));
  }
  api_where_ = *where;
  return plan_.state_dir.write_kubeconfig(show(api_where_), plan_.token);
}

int UpApp::run() {
  prune_files(plan_.state_dir.logs(), kLogFilesKept);
  LaunchSettings launch;
  launch.proxy_program = (options_.programs / "pilotlight-proxy").string();
  launch.program_folder = options_.programs.string();
  launch.environment = options_.environment;
  launch.ports = plan_.ports;
  launch.autoscaler = fmt::format("{}:{}", plan_.addresses.autoscaler(), plan_.ports.wire);
  launch.token_file = plan_.state_dir.token_file().string();
  launch.log_level = options_.log_level;
  launch.logs = plan_.state_dir.logs();
  PodRuntime::Parts parts{
      shard_.executor(),
      shard_.clock(),
      store_,
      launcher_,
      plan_.addresses,
      app_ports_,
      [this](std::string_view kind, Json fields) { record(kind, std::move(fields)); }};
  pods_ = std::make_unique<PodRuntime>(parts, std::move(launch));
  endpoints_ = std::make_unique<EndpointController>(store_, plan_.ports.serving);
  deployments_ = std::make_unique<DeploymentController>(store_);
  make_components();
  shard_.scope().spawn(life());
  shard_.run();
  return exit_code_;
}

std::string UpApp::kube_url() const { return "http://" + show(api_where_); }

ProcessSpec UpApp::program(const char* name, std::vector<std::string> flags) const {
  ProcessSpec spec;
  spec.role = name;
  spec.argv.push_back((options_.programs / (std::string("pilotlight-") + name)).string());
  for (std::string& flag : flags) spec.argv.push_back(std::move(flag));
  spec.argv.insert(spec.argv.end(),
                   {"--kube", kube_url(), "--token-file", plan_.state_dir.token_file().string(),
                    "--log-level", options_.log_level});
  spec.argv.insert(spec.argv.end(), {"--admin-port", std::to_string(plan_.ports.admin),
                                     "--metrics-port", std::to_string(plan_.ports.stats)});
  spec.env = to_exec(options_.environment);
  return spec;
}

void UpApp::make_components() {
  const auto ended = [this](const Component::End& end) { on_component_end(end); };
  const auto logs = plan_.state_dir.logs();
  ProcessSpec autoscaler = program("autoscaler", {"--address", plan_.addresses.autoscaler(),
                                                  "--wire-port", std::to_string(plan_.ports.wire)});
  autoscaler.argv.insert(autoscaler.argv.end(),
                         {"--decision-file", plan_.state_dir.decisions().string(), "--recording",
                          plan_.state_dir.recording().string()});
  if (!options_.config_autoscaler.empty()) {
    autoscaler.argv.insert(autoscaler.argv.end(),
                           {"--config-autoscaler", options_.config_autoscaler.string()});
  }
  ProcessSpec activator =
      program("activator", {"--address", plan_.addresses.activator(), "--autoscaler",
                            fmt::format("{}:{}", plan_.addresses.autoscaler(), plan_.ports.wire)});
  activator.listen_fds = plan_.sockets.fds();
  activator.env.push_back("LISTEN_FDNAMES=" + plan_.sockets.names());
  autoscaler_ = std::make_unique<Component>(shard_.executor(), shard_.clock(), launcher_,
                                            std::move(autoscaler), logs / "autoscaler.log", ended);
  activator_ = std::make_unique<Component>(shard_.executor(), shard_.clock(), launcher_,
                                           std::move(activator), logs / "activator.log", ended);
  activator_feed_ =
      std::make_unique<EventFeed>(shard_.executor(), shard_.clock(), activator_admin_,
                                  [this](const Json& event) { forward("activator", event); });
  autoscaler_feed_ =
      std::make_unique<EventFeed>(shard_.executor(), shard_.clock(), autoscaler_admin_,
                                  [this](const Json& event) { forward("autoscaler", event); });
}

Task<> UpApp::life() {
  tasks_.spawn(watch_signals());
  autoscaler_scope_.spawn(autoscaler_->run());
  gateway_scope_.spawn(activator_->run());
  create_deployments();
  tasks_.spawn(activator_feed_->run());
  tasks_.spawn(autoscaler_feed_->run());
  tasks_.spawn(pace_story());
  const bool routed = co_await wait_until_routed();
  if (routed) {
    announce();
    co_await stop_.wait(TimePoint::max());
  } else if (!stop_.happened()) {
    console_.problem(fmt::format("the activator does not answer on {}; its log: {}",
                                 show(activator_admin_),
                                 (plan_.state_dir.logs() / "activator.log").string()));
    exit_code_ = 1;
  }
  co_await drain();
  shard_.post([this] { shard_.stop(); });  // after this task has left the shard's scope
}

void UpApp::create_deployments() {
  for (const config::Revision& revision : plan_.manifests.revisions) {
    story_.know(revision.name_space, revision.name, revision.service);
    const Stored stored = store_.create(kube::kDeployments, config::to_deployment(revision));
    if (!stored) {
      console_.problem(fmt::format("{}: {}", revision.source, stored.error().message));
    }
  }
}

/// The activator is of use once it knows every revision: before, it would answer 404.
Task<bool> UpApp::wait_until_routed() {
  const TimePoint deadline = shard_.clock().now() + kStartPatience;
  const auto pause = shard_.clock().make_timer();
  while (!stop_.happened() && shard_.clock().now() < deadline) {
    const Json status = co_await ask_status(activator_admin_);
    if (kube::array(status, {"revisions"}).size() >= plan_.manifests.revisions.size()) {
      co_return true;
    }
    const TimePoint next = shard_.clock().now() + milliseconds(10);
    co_await pause->wait_until(next);
  }
  co_return false;
}

Task<kube::Json> UpApp::ask_status(asio::ip::tcp::endpoint admin) {
  control::Ask what;
  what.target = "/status";
  const TimePoint deadline = shard_.clock().now() + seconds(1);
  const auto answer = co_await control::ask(shard_.executor(), shard_.clock(), std::move(admin),
                                            std::move(what), deadline);
  if (!answer || answer->status != 200) co_return Json();
  auto parsed = kube::parse_json(answer->body);
  co_return parsed ? std::move(*parsed) : Json();
}

void UpApp::announce() {
  Json services = Json::array();
  for (const ServiceUrls& service : plan_.services) {
    services.push_back(Json{{"namespace", service.name_space},
                            {"name", service.name},
                            {"deployment", service.deployment},
                            {"urls", service.urls}});
  }
  const Json up{{"pid", getpid()},
                {"version", PILOTLIGHT_VERSION},
                {"gateway", show(plan_.sockets.all().front().where)},
                {"api", fmt::format("{}/t/{}", kube_url(), plan_.token)},
                {"kubeconfig", plan_.state_dir.kubeconfig().string()},
                {"logs", plan_.state_dir.logs().string()},
                {"activator", show(activator_admin_)},
                {"autoscaler", show(autoscaler_admin_)},
                {"services", std::move(services)}};
  console_.greet(plan_, api_where_);
  const OrReason<> written = plan_.state_dir.write_up(up);
  if (!written) console_.problem(written.error().text);
}

Task<> UpApp::watch_signals() {
  signals_.add(SIGINT);
  signals_.add(SIGTERM);
  signals_.add(SIGHUP);
  for (;;) {
    const auto [ec, number] = co_await signals_.async_wait(use_tuple);
    if (ec) co_return;
    if (stop_.happened()) hurry();
    stop_.set();
  }
}

Task<> UpApp::pace_story() {
  while (!ending_) {
    const TimePoint next = shard_.clock().now() + milliseconds(500);
    co_await pace_->wait_until(next);
    story_.on_time(now_us());
  }
}

std::int64_t UpApp::now_us() const {
  return control::monotonic_us(const_cast<Shard&>(shard_).clock().now());
}

void UpApp::record(std::string_view kind, Json fields) {
  Json event = fields;
  event["kind"] = std::string(kind);
  story_.on_runtime(event, now_us());
  events_.record(kind, std::move(fields));
}

void UpApp::forward(const char* source, const Json& event) {
  Json copy = event;
  copy["source"] = source;
  const std::string kind(kube::text(event, {"kind"}));
  if (std::string_view(source) == "activator") {
    story_.on_activator(event, now_us());
  } else {
    story_.on_autoscaler(event, now_us());
  }
  events_.record(kind, std::move(copy));
}

void UpApp::on_component_end(const Component::End& end) {
  if (ending_) return;
  Json fields{{"name", end.name}, {"cause", end.story}, {"log", end.lines}};
  record("component_exited", std::move(fields));
}

}  // namespace pilotlight::local
