#include "activator/doorkeeper.h"

#include <utility>

#include <boost/asio/post.hpp>
#include <unistd.h>

#include "common/base/log.h"
#include "common/net/listener.h"

namespace pilotlight::activator {

namespace {

const char* to_string(DoorPlan::Step::Verb verb) noexcept {
  switch (verb) {
    case DoorPlan::Step::Verb::open: return "open";
    case DoorPlan::Step::Verb::rename: return "for another";
    case DoorPlan::Step::Verb::leave: return "lingering";
    case DoorPlan::Step::Verb::close: return "closed";
  }
  return "";
}

}  // namespace

Doorkeeper::Doorkeeper(Clock& clock, asio::ip::address address, const Shards& shards,
                       std::mt19937_64& random)
    : clock_(clock),
      address_(std::move(address)),
      shards_(shards),
      random_(random),
      pause_(clock.make_timer()) {}

void Doorkeeper::want(const Doors& doors) {
  plan_.want(doors, clock_.now());
  pause_->cancel();
}

Task<> Doorkeeper::run() {
  while (!stopped_) {
    for (DoorPlan::Step& step : plan_.steps(clock_.now())) carry_out(std::move(step));
    co_await pause_->wait_until(plan_.next_due());
  }
}

void Doorkeeper::stop() noexcept {
  stopped_ = true;
  pause_->cancel();
}

void Doorkeeper::carry_out(DoorPlan::Step step) {
  if (step.verb == DoorPlan::Step::Verb::open) {
    const Result<> opened = open(step.port, step.route);
    if (opened) {
      log_info("listening", {{"service", step.route}, {"port", step.port}});
      return;
    }
    ++failures_;
    plan_.failed(step.port, clock_.now(), random_);
    log_warn("cannot listen for a service",
             {{"service", step.route}, {"port", step.port}, {"error", opened.error().message()}});
    return;
  }
  for (const auto& shard : shards_) {
    asio::post(shard->executor(), [there = shard.get(), step] {
      switch (step.verb) {
        case DoorPlan::Step::Verb::open: break;
        case DoorPlan::Step::Verb::rename: return there->rename_door(step.port, step.route);
        case DoorPlan::Step::Verb::leave: return there->leave_door(step.port);
        case DoorPlan::Step::Verb::close: return there->close_door(step.port);
      }
    });
  }
  log_info("port of a service",
           {{"port", step.port}, {"now", to_string(step.verb)}, {"service", step.route}});
}

/// All sockets are there before a shard hears of one: a door is open everywhere or nowhere.
Result<> Doorkeeper::open(std::uint16_t port, const std::string& route) {
  std::vector<int> descriptors;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    const Result<int> made = listening_socket(tcp::endpoint(address_, port), shards_.size() > 1);
    if (!made) {
      for (const int descriptor : descriptors) close(descriptor);
      return made.error();
    }
    descriptors.push_back(*made);
  }
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    asio::post(shards_[i]->executor(), [there = shards_[i].get(), descriptor = descriptors[i], port,
                                        route] { there->open_door(descriptor, port, route); });
  }
  return {};
}

}  // namespace pilotlight::activator
