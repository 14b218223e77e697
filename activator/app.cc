#include "activator/app.h"

#include <csignal>

#include <boost/asio/post.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "activator/lame_duck.h"
#include "common/base/log.h"
#include "common/metrics/exposition.h"
#include "config/managed_service.h"
#include "config/revision.h"

namespace pilotlight::activator {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLook = 250ms;  // how often a lame duck looks around

wire::Hello hello(const Flags& flags, std::uint64_t epoch) {
  wire::Hello hello;
  hello.role = wire::Role::activator;
  hello.replica = flags.replica;
  hello.epoch = epoch;
  hello.token = flags.token;
  hello.capabilities = wire::kReplay;
  return hello;
}

/// Everybody else's are no business of ours, and there may be many. A Deployment that loses our
/// label is still routed for a while, so those are all watched.
kube::Watcher::What our_pods() {
  return kube::Watcher::What::all(kube::kPods, config::kInjectSelector);
}

/// Those that lead to the activators, or are about to.
kube::Watcher::What managed_services() {
  kube::Watcher::What what;
  what.resource = kube::kServices;
  what.selector.labels = config::kManagedLabel;
  return what;
}

std::vector<Revisions*> revisions_of(const std::vector<std::unique_ptr<DataShard>>& shards) {
  std::vector<Revisions*> all;
  for (const auto& shard : shards) all.push_back(&shard->revisions());
  return all;
}

}  // namespace

App::App(const Flags& flags)
    : flags_(flags),
      epoch_(new_epoch()),
      random_(random_seed()),
      budget_(flags.park),
      events_(shard_.clock(), epoch_),
      control_(Control::Parts{shard_.executor(), shard_.clock(), events_, *this, epoch_}),
      data_([&] {
        std::vector<std::unique_ptr<DataShard>> shards;
        for (std::size_t i = 0; i < flags.shards; ++i) {
          DataShard::Parts parts{i,        budget_, shard_.executor(),
                                 control_, epoch_,  [this, i] { shard_quiet(i); }};
          shards.push_back(std::make_unique<DataShard>(std::move(parts)));
        }
        return shards;
      }()),
      quiet_(flags.shards, false),
      doorkeeper_(shard_.clock(), flags.listen.address(), data_, random_),
      homes_(shard_.executor(), shard_.clock(), revisions_of(data_)),
      autoscaler_(shard_.executor(), shard_.clock(), flags.autoscaler, hello(flags, epoch_),
                  control_, random_, flags.credentials),
      kube_(shard_.executor(), shard_.clock(), flags.kube),
      deployments_(kube_, shard_.clock(), kube::Watcher::What::all(kube::kDeployments),
                   control_.deployments(), random_),
      slices_(kube_, shard_.clock(), kube::Watcher::What::all(kube::kEndpointSlices),
              control_.slices(), random_),
      pods_(kube_, shard_.clock(), our_pods(), control_.pods(), random_),
      services_(kube_, shard_.clock(), managed_services(), control_.services(), random_),
      admin_(shard_.executor(), shard_.clock(),
             [this](const control::Request& request, control::Reply& reply) {
               return admin(request, reply);
             }),
      metrics_(shard_.executor(), shard_.clock(),
               [this](const control::Request& request, control::Reply& reply) {
                 return metrics(request, reply);
               }),
      signals_(shard_.executor(), SIGTERM, SIGINT),
      progress_(shard_.clock().make_timer()) {
  const std::vector<Revisions*> all = revisions_of(data_);
  for (Revisions* revisions : all) revisions->meet(all);
  control_.use(homes_, autoscaler_);
}

App::~App() = default;

std::optional<std::string> App::bind_gateway() {
  if (flags_.passed.empty()) {
    tcp::endpoint where = flags_.listen;
    for (const auto& shard : data_) {
      const auto bound = shard->bind(where, data_.size() > 1);
      if (!bound) {
        return fmt::format("cannot listen on {} (gateway): {}", to_string(where),
                           bound.error().message());
      }
      where = *bound;  // a port that was picked is the same for all
    }
    log_info("listening", {{"gateway", to_string(where)}});
    return std::nullopt;
  }
  for (const PassedSocket& socket : flags_.passed) {
    for (const auto& shard : data_) {
      const int own = fcntl(socket.descriptor, F_DUPFD_CLOEXEC, 3);
      const Result<> adopted = own < 0
                                   ? Result<>(ErrorCode(errno, boost::system::system_category()))
                                   : shard->adopt(own, socket.name);
      if (adopted) continue;
      return fmt::format("cannot take over the passed socket {} ({}): {}", socket.descriptor,
                         socket.name, adopted.error().message());
    }
    close(socket.descriptor);
    log_info("listening", {{"passed", socket.name}});
  }
  return std::nullopt;
}

std::optional<std::string> App::bind() {
  auto problem = bind_ports();
  if (problem) {
    shard_.scope().spawn(close_ports());
    shard_.run();
  }
  return problem;
}

Task<> App::close_ports() {
  co_await admin_.stop();
  co_await metrics_.stop();
  shard_.finish();
}

std::optional<std::string> App::bind_ports() {
  if (auto problem = bind_gateway()) return problem;
  const auto admin = admin_.listen(flags_.admin);
  if (!admin) {
    return fmt::format("cannot listen on {} (admin port): {}", to_string(flags_.admin),
                       admin.error().message());
  }
  const auto metrics = metrics_.listen(flags_.metrics);
  if (!metrics) {
    return fmt::format("cannot listen on {} (metrics port): {}", to_string(flags_.metrics),
                       metrics.error().message());
  }
  log_info("listening", {{"admin", to_string(*admin)}, {"metrics", to_string(*metrics)}});
  return std::nullopt;
}

int App::run() {
  for (const auto& shard : data_) shard->start();
  Scope& scope = shard_.scope();
  scope.spawn(watch_signals());
  scope.spawn(autoscaler_.run());
  scope.spawn(deployments_.run());
  scope.spawn(slices_.run());
  scope.spawn(pods_.run());
  scope.spawn(services_.run());
  scope.spawn(doorkeeper_.run());
  scope.spawn(control_.run());
  shard_.run();
  for (const auto& shard : data_) shard->join();
  return exit_code_;
}

void App::routed() {
  if (accepting_ || draining_) return;
  accepting_ = true;
  log_info("routed: taking connections");
  // Posted behind the routes, so no connection is served without them.
  for (const auto& shard : data_) {
    asio::post(shard->executor(), [there = shard.get()] { there->accept(); });
  }
}

void App::doors_changed(const Doors& doors) {
  if (!draining_) doorkeeper_.want(doors);
}

Task<> App::watch_signals() {
  for (;;) {
    const auto [ec, number] = co_await signals_.async_wait(use_tuple);
    if (ec) co_return;
    if (!draining_) {
      log_info("signal: draining");
      draining_ = true;
      shard_.scope().spawn(drain());
    } else if (!stopping_) {
      log_warn("second signal: stopping now");
      stopping_ = true;
      exit_code_ = 1;
      progress_->cancel();
      for (const auto& shard : data_) {
        asio::post(shard->executor(), [there = shard.get()] { there->stop(); });
      }
    }
  }
}

void App::shard_quiet(std::size_t index) {
  asio::post(shard_.executor(), [this, index] {
    quiet_[index] = true;
    progress_->cancel();
  });
}

bool App::all_quiet() const noexcept {
  for (const bool quiet : quiet_) {
    if (!quiet) return false;
  }
  return true;
}

/// Whoever has come so far: connections, and requests on those that were there before.
std::uint64_t App::come() const noexcept {
  std::uint64_t total = 0;
  for (const auto& shard : data_) {
    const Cells& cells = shard->cells();
    total += cells.accepted.read();
    for (const Cell& outcome : cells.requests) total += outcome.read();
  }
  return total;
}

Task<> App::be_lame() {
  for (const auto& shard : data_) {
    asio::post(shard->executor(), [there = shard.get()] { there->announce_end(); });
  }
  LameDuck duck(flags_.lame_duck, come(), shard_.clock().now());
  while (!stopping_ && !duck.over(come(), shard_.clock().now())) {
    co_await progress_->wait_until(shard_.clock().now() + kLook);
  }
  log_info("nobody comes any more: closing");
}

Task<> App::drain() {
  if (flags_.lame_duck > Duration::zero()) co_await be_lame();
  doorkeeper_.stop();
  // What a shard says of its quiet counts from here on: it takes no connection any more.
  quiet_.assign(data_.size(), false);
  for (const auto& shard : data_) {
    asio::post(shard->executor(), [there = shard.get()] { there->drain(); });
  }
  while (!all_quiet()) co_await progress_->wait_until(TimePoint::max());
  log_info("drained");
  co_await settle_data_shards();
  co_await end();
}

/// Lets what one data shard has posted to another arrive before any of them ends.
Task<> App::settle_data_shards() { co_await homes_.collect(); }

Task<> App::end() {
  for (const auto& shard : data_) {
    asio::post(shard->executor(), [there = shard.get()] { there->end(); });
  }
  events_.close();
  co_await admin_.stop();
  co_await metrics_.stop();
  control_.stop();
  autoscaler_.close();
  deployments_.close();
  slices_.close();
  pods_.close();
  services_.close();
  ErrorCode ignored;  // the wait for signals ends either way
  signals_.cancel(ignored);
  shard_.scope().cancel(asio::cancellation_type::terminal);
  shard_.finish();
}

Task<Picture> App::look() {
  Picture picture;
  picture.revisions = co_await homes_.collect();
  picture.epoch = epoch_;
  picture.autoscaler_connected = autoscaler_.connected();
  picture.draining = draining_;
  picture.doors = doorkeeper_.open();
  picture.door_failures = doorkeeper_.failures();
  picture.rate = [this](const RevisionInfo& revision) { return control_.rate(revision); };
  for (const auto& shard : data_) picture.cells.push_back(&shard->cells());
  picture.parked = budget_.requests();
  picture.parked_bytes = budget_.bytes();
  picture.limits = flags_.park;
  co_return picture;
}

Task<> App::admin(const control::Request& request, control::Reply& reply) {
  if (request.path == "/status") {
    const Picture picture = co_await look();
    std::string body = kube::to_text(status_json(picture));
    co_await reply.send(200, "application/json", std::move(body));
  } else if (request.path == "/events") {
    co_await events_.serve(request, reply);
  } else if (request.path == "/readyz" && (draining_ || !accepting_)) {
    co_await reply.send(503, "text/plain", draining_ ? "draining" : "no routes yet");
  } else if (request.path == "/healthz" || request.path == "/readyz") {
    co_await reply.send(200, "text/plain", "ok");
  } else {
    co_await reply.send(404, "text/plain",
                        "not found: this port has /status, /events, /healthz and /readyz\n");
  }
}

Task<> App::metrics(const control::Request& request, control::Reply& reply) {
  if (request.path == "/metrics") {
    const Picture picture = co_await look();
    std::string body = metrics_text(picture);
    co_await reply.send(200, kExpositionType, std::move(body));
  } else {
    co_await reply.send(404, "text/plain", "not found: this port has /metrics\n");
  }
}

}  // namespace pilotlight::activator
