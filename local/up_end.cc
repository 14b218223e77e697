// The parts of UpApp that answer its own pages, and that end it.
#include <utility>

#include <fmt/format.h>

#include "local/up_app.h"

namespace pilotlight::local {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Together below the 10 s in which everything must be gone.
constexpr Duration kGatewayGrace = seconds(5);
constexpr Duration kReplicaDrain = milliseconds(1500);
constexpr Duration kReplicaGrace = milliseconds(1000);
constexpr Duration kAutoscalerGrace = milliseconds(1000);

}  // namespace

Task<> UpApp::serve_page(const control::Request& request, control::Reply& reply) {
  if (request.path == "/pilotlight/events") {
    co_await events_.serve(request, reply);
  } else if (request.path == "/pilotlight/status") {
    co_await serve_status(reply);
  } else {
    const auto sent = co_await reply.send(404, "text/plain", "no such page\n");
    static_cast<void>(sent);
  }
}

Task<> UpApp::serve_status(control::Reply& reply) {
  StatusInputs inputs;
  inputs.activator = co_await ask_status(activator_admin_);
  inputs.autoscaler = co_await ask_status(autoscaler_admin_);
  for (const Object& object : store_.list(kube::kDeployments, "")) {
    inputs.deployments.push_back(*object);
  }
  for (const Object& object : store_.list(kube::kPods, "")) inputs.pods.push_back(*object);
  for (const ServiceUrls& service : plan_.services) {
    inputs.urls[service.name_space + "/" + service.name] = service.urls;
  }
  inputs.facts = [this](const std::string& space, const std::string& pod) {
    std::optional<StatusInputs::Facts> facts;
    Replica* replica = pods_->find(space, pod);
    if (replica != nullptr) {
      facts.emplace();
      facts->replica = replica->facts();
      facts->last_lines = replica->last_lines(5);
    }
    return facts;
  };
  std::string text = kube::to_text(compose_status(inputs));
  const auto sent = co_await reply.send(200, "application/json", std::move(text));
  static_cast<void>(sent);  // who left asks again
}

Task<> UpApp::drain() {
  ending_ = true;
  console_.plain("ending: finishing the requests in flight");
  plan_.state_dir.remove_up();
  plan_.sockets.close();
  activator_->stop(kGatewayGrace);
  co_await gateway_scope_.join();
  co_await pods_->stop(kReplicaDrain, kReplicaGrace);
  autoscaler_->stop(kAutoscalerGrace);
  co_await autoscaler_scope_.join();
  activator_feed_->stop();
  autoscaler_feed_->stop();
  pace_->cancel();
  events_.close();
  co_await api_->stop();
  signals_.cancel();
  co_await tasks_.join();
}

void UpApp::hurry() {
  console_.plain("ending now");
  activator_->kill();
  autoscaler_->kill();
  pods_->hurry();
}

}  // namespace pilotlight::local
