#include "bench/fleet_api.h"

#include <cstdio>
#include <cstdlib>
#include <future>
#include <utility>

namespace pilotlight::bench {

FleetApi::FleetApi(Duration latency) {
  api_.set_latency(latency);
  api_.on_patch([this](const StubApi::Patch& patch) { taken_ += patch.taken ? 1 : 0; });
  api_.on_watch([this](std::string_view) { ++watches_; });
}

void FleetApi::add(const std::string& name, std::int32_t replicas) {
  StubApi::Deployment deployment;
  deployment.name = name;
  deployment.replicas = replicas;
  deployment.annotations["autoscaling.knative.dev/initial-scale"] = "0";
  // Half a fleet's load, while the other half connects, takes nothing away.
  deployment.annotations["autoscaling.knative.dev/min-scale"] = std::to_string(replicas);
  api_.add(std::move(deployment));
}

void FleetApi::start(const sockaddr_in& where) {
  const asio::ip::tcp::endpoint at(asio::ip::address_v4(ntohl(where.sin_addr.s_addr)),
                                   ntohs(where.sin_port));
  const auto bound = api_.listen(at);
  if (bound.has_error()) {
    std::fprintf(stderr, "bench-fleet: --api: %s\n", bound.error().message().c_str());
    std::exit(1);
  }
  shard_.start();
}

void FleetApi::ask(const std::function<void(StubApi&)>& what) {
  std::promise<void> done;
  shard_.post([&] {
    what(api_);
    done.set_value();
  });
  done.get_future().wait();
}

Task<> FleetApi::end() {
  co_await api_.stop();
  shard_.finish();
}

void FleetApi::stop() {
  ask([this](StubApi&) { shard_.scope().spawn(end()); });
  shard_.join();
}

}  // namespace pilotlight::bench
