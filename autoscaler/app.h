#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>

#include <boost/asio/basic_signal_set.hpp>

#include "autoscaler/kube_feed.h"
#include "autoscaler/loop.h"
#include "autoscaler/wire_door.h"
#include "common/async/shard.h"
#include "common/control/server.h"
#include "common/kube/client.h"
#include "common/wire/server.h"

namespace pilotlight::autoscaler {

/// What the command line says.
struct Options {
  kube::Access kube;
  std::string token;           ///< What a HELLO must carry; "" accepts any.
  bool review_tokens = false;  ///< Instead, the API server says whose a HELLO's token is.
  std::string wire_tls;        ///< Folder with tls.crt and tls.key of the wire; "": plain TCP.
  std::string space = "pilotlight-system";  ///< The namespace that we and the activators run in.
  asio::ip::address address = asio::ip::address_v4::loopback();
  config::AutoscalerDefaults defaults;  ///< Of revisions that do not say otherwise.
  std::string decision_file;            ///< Where decisions are kept; "" for memory only.
  std::size_t descriptors = 1024;       ///< How many this process may have.
  std::string recording;                ///< Where whole runs are kept; "" for nowhere.
  std::uint16_t wire_port = 9444;       ///< 0 picks one.
  std::uint16_t admin_port = 8022;      ///< 0 picks one.
  std::uint16_t metrics_port = 9090;    ///< 0 picks one.
};

/// The autoscaler, put together: one shard with the wire port, the admin port (/status, /events,
/// /healthz), the metrics port, the watches of the API and the Loop.
///
/// SIGTERM or SIGINT ends it within moments: it holds nothing that a successor needs. A second one
/// ends it at once.
class App {
 public:
  explicit App(Options options);

  /// Binds every port. @return what could not be bound, or nothing.
  [[nodiscard]] std::optional<std::string> bind();

  /// Serves until a signal. @return the exit code.
  [[nodiscard]] int run();

 private:
  [[nodiscard]] Task<> watch_signals();
  [[nodiscard]] Task<> end();
  [[nodiscard]] Task<> admin(const control::Request& request, control::Reply& reply);
  [[nodiscard]] Task<> metrics(const control::Request& request, control::Reply& reply);

  Options options_;
  Shard shard_{0};
  std::uint64_t epoch_;
  std::mt19937_64 random_;
  kube::Client kube_;
  KubeTarget target_;
  DecisionFile decisions_;
  DecisionFile recording_;
  Loop loop_;
  DeploymentFeed deployments_;
  SliceFeed slices_;
  WireDoor door_;
  PodFeed pods_;
  PulledFeed pulled_;
  kube::Watcher deployment_watch_;
  kube::Watcher slice_watch_;
  kube::Watcher pod_watch_;
  kube::Watcher pulled_watch_;
  wire::Server wire_;
  control::Server admin_;
  control::Server metrics_;
  asio::basic_signal_set<Executor> signals_;
};

}  // namespace pilotlight::autoscaler
