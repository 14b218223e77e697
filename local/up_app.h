#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/signal_set.hpp>

#include "common/async/event.h"
#include "common/async/shard.h"
#include "common/control/event_log.h"
#include "local/api/server.h"
#include "local/api/store.h"
#include "local/component.h"
#include "local/console.h"
#include "local/deployment_controller.h"
#include "local/endpoint_controller.h"
#include "local/event_feed.h"
#include "local/pod_runtime.h"
#include "local/status.h"
#include "local/story.h"
#include "local/up_plan.h"

namespace pilotlight::local {

/// The composition root of `up`: a small cluster in one process, plus the two programs that it
/// keeps running. LIFE: bind() -> run() { start the programs, create the Deployments, wait until
/// the activator knows them, greet } -> signal -> drain: gateway, replicas, autoscaler, API. One
/// shard.
class UpApp {
 public:
  UpApp(const UpOptions& options, UpPlan& plan);
  ~UpApp();
  UpApp(const UpApp&) = delete;
  UpApp& operator=(const UpApp&) = delete;

  /// Listens for the API and writes the kubeconfig. The reason says what was taken.
  [[nodiscard]] OrReason<> bind();

  /// Runs until a signal. @return the exit code.
  [[nodiscard]] int run();

 private:
  using Json = kube::Json;

  // start
  void make_components();
  [[nodiscard]] ProcessSpec program(const char* name, std::vector<std::string> flags) const;
  [[nodiscard]] std::string kube_url() const;
  void create_deployments();
  [[nodiscard]] Task<> life();
  [[nodiscard]] Task<bool> wait_until_routed();
  [[nodiscard]] Task<Json> ask_status(asio::ip::tcp::endpoint admin);
  void announce();

  // while it runs
  [[nodiscard]] Task<> watch_signals();
  [[nodiscard]] Task<> pace_story();
  [[nodiscard]] Task<> serve_page(const control::Request& request, control::Reply& reply);
  [[nodiscard]] Task<> serve_status(control::Reply& reply);
  void record(std::string_view kind, Json fields);
  void forward(const char* source, const Json& event);
  void on_component_end(const Component::End& end);
  [[nodiscard]] std::int64_t now_us() const;

  // end
  [[nodiscard]] Task<> drain();
  void hurry();

  const UpOptions& options_;
  UpPlan& plan_;
  Shard shard_{0};
  Console console_;
  ShimLauncher launcher_;
  PortPool app_ports_;
  ApiStore store_;
  control::EventLog events_;
  Story story_;
  std::unique_ptr<PodRuntime> pods_;
  std::unique_ptr<EndpointController> endpoints_;
  std::unique_ptr<DeploymentController> deployments_;
  std::unique_ptr<ApiServer> api_;
  asio::ip::tcp::endpoint api_where_;
  asio::ip::tcp::endpoint activator_admin_;
  asio::ip::tcp::endpoint autoscaler_admin_;
  Scope tasks_;             // signals, feeds, the story's pace
  Scope gateway_scope_;     // the activator
  Scope autoscaler_scope_;  // the autoscaler
  std::unique_ptr<Component> activator_;
  std::unique_ptr<Component> autoscaler_;
  std::unique_ptr<EventFeed> activator_feed_;
  std::unique_ptr<EventFeed> autoscaler_feed_;
  asio::basic_signal_set<Executor> signals_;
  Event stop_;
  std::unique_ptr<Timer> pace_;
  bool ending_ = false;
  int exit_code_ = 0;
};

}  // namespace pilotlight::local
